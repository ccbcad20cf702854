"""stub until the tools are there"""
class Replay:
    async def check(self, item, draft):
        return
