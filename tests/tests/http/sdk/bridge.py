"""Calls the client that the makers of Relentless Identity publish, unchanged, and says what came of each call.

A line of standard input is a call: {"api", "call", "token", "arguments"}. A line of standard output is what came of it:
{"status", "told", "missing", "added"}, or {"raised", "status", "data", "body"} where the client raised an exception.
"missing" and "added" are the places where the answer lacks a field that the client's model has, or has one besides.
"""

import json
import sys

import relentless_identity as sdk
from pydantic import BaseModel

ORIGIN = sys.argv[1]


def plain(value):
    """As JSON has it."""
    return value.to_dict() if isinstance(value, BaseModel) else value


def known(model):
    """The names of a model's fields, as they are answered."""
    return getattr(type(model), f"_{type(model).__name__}__properties", None)


def compare(model, raw, place, missing, added):
    """Looks for fields that only the model or only the answer has."""
    if isinstance(model, list):
        for index, (inner, of) in enumerate(zip(model, raw)):
            compare(inner, of, f"{place}[{index}]", missing, added)
        return
    # The generator wraps what may be of several types.
    if isinstance(model, BaseModel) and hasattr(model, "actual_instance"):
        model = model.actual_instance
    if not isinstance(model, BaseModel) or not isinstance(raw, dict):
        return
    names = known(model)
    missing += [f"{place}.{name}" for name in names if name not in raw]
    added += [f"{place}.{name}" for name in raw if name not in names]
    for name, field in type(model).model_fields.items():
        wire = field.alias or name
        if wire in raw:
            compare(getattr(model, name), raw[wire], f"{place}.{wire}", missing, added)


def answer(call):
    client = sdk.ApiClient(sdk.Configuration(host=ORIGIN, access_token=call["token"]))
    operation = getattr(getattr(sdk, call["api"])(client), call["call"] + "_with_http_info")
    try:
        answered = operation(**call["arguments"])
    except sdk.ApiException as raised:
        return {
            "raised": type(raised).__name__,
            "status": raised.status,
            "data": plain(raised.data),
            "body": raised.body,
        }
    raw = answered.raw_data.decode()
    missing, added = [], []
    if isinstance(answered.data, BaseModel):
        compare(answered.data, json.loads(raw), "", missing, added)
    return {
        "status": answered.status_code,
        "told": plain(answered.data),
        "raw": raw,
        "missing": missing,
        "added": added,
    }


for line in sys.stdin:
    try:
        told = answer(json.loads(line))
    except Exception as fault:  # Whatever the client could not do with an answer is what the test wants to hear.
        told = {"fault": f"{type(fault).__name__}: {fault}"}
    print(json.dumps(told, default=str), flush=True)
