"""Tools that are operations of an HTTP API: read from an OpenAPI document, called with arguments an agent wrote.

`spec` holds the records, `openapi` reads and writes documents, `client` sends requests, `http_tools` makes the tools,
`served` offers a world's endpoints over HTTP.
"""
