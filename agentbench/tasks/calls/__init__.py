"""Readers of function-calling data sets: a question, the functions on offer, and the calls that answer it."""
