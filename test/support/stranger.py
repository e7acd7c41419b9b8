"""A charging station on Python's websockets and ssl: connects once, sends a Heartbeat, prints what came of it as JSON.

Arguments: a JSON object with url, id, version; may have user and password (in hexadecimal), ca, cert, key (paths), host.
"""

import asyncio
import base64
import json
import ssl
import sys

from websockets.legacy.client import connect


def context_of(options):
    if not options["url"].startswith("wss"):
        return None
    context = ssl.create_default_context(cafile=options.get("ca"))
    if "cert" in options:
        context.load_cert_chain(options["cert"], options["key"])
    return context


def headers_of(options):
    if "password" not in options:
        return {}
    credentials = options["id"].encode() + b":" + bytes.fromhex(options["password"])
    return {"Authorization": "Basic " + base64.b64encode(credentials).decode()}


async def visit(options):
    secured = context_of(options)
    more = {} if secured is None else {"ssl": secured, "server_hostname": options.get("host")}
    url = f"{options['url']}/{options['id']}"
    async with connect(
        url, subprotocols=[options["version"]], extra_headers=headers_of(options), **more
    ) as station:
        await station.send(json.dumps([2, "1", "Heartbeat", {}]))
        return {"status": 101, "answer": json.loads(await station.recv())}


def main():
    try:
        result = asyncio.run(visit(json.loads(sys.argv[1])))
    except Exception as error:  # its class says what kind of failure it is
        result = {"status": getattr(error, "status_code", None), "error": type(error).__name__}
    print(json.dumps(result))


main()
