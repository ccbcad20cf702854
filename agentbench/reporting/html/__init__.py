"""A run, a sweep or a comparison as one HTML file: it opens from disk, asks no network for anything, and shows what
models and tools wrote as text, never as markup.
"""
