"""Worlds: real tables and text made into a database, a document collection, tools and tasks with executed gold."""
