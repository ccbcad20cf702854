"""Tools over MCP, in both directions: other people's servers as our tools, and our tools as a server.

    client → connection → transports     servers of others: `McpServers` is what an environment is given
    server → serving                     our own: one session is one episode

`names`, `schemas`, `results` and `failures` hold what a stranger's tool list and answers need before an agent may see
them: nothing that a server sends is trusted. The SDK (`mcp`, an extra of this package) is imported inside functions
only.
"""
