"""Programs to try and to read; nothing imports them."""
