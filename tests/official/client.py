"""The official Python SDK, unmodified, in an environment of its own.

Run as `python client.py CONFIG PLAN`: the SDK's own configuration of its client, and a list of [call, arguments], both
JSON. Prints a JSON line for each call: what it gave, or the error the SDK made of the answer. A model is made of each
argument `{"model": NAME, ...}`, and the id of the last provider stands in for `"$id"`.
"""

import asyncio
import json
import sys

from okta.client import Client

from okta import models


async def main(config, plan):
    client, last_id = Client(config), None
    for call, arguments in plan:
        result = await getattr(client, call)(*(argument(value, last_id) for value in arguments))
        value, error = result[0], result[-1]
        if error is not None or isinstance(value, Exception):
            line = {"error": str(error or value)}
        else:
            line = {"value": plain(value), "status": result[1].status_code}
            last_id = getattr(value, "id", last_id)
        print(json.dumps({"call": call, **line}, default=str), flush=True)


def argument(value, last_id):
    if isinstance(value, list):
        return [argument(each, last_id) for each in value]
    if isinstance(value, dict):
        fields = {name: argument(each, last_id) for name, each in value.items() if name != "model"}
        return getattr(models, value["model"])(**fields) if "model" in value else fields
    return last_id if value == "$id" else value


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.to_dict() if value is not None else None


asyncio.run(main(json.loads(sys.argv[1]), json.loads(sys.argv[2])))
