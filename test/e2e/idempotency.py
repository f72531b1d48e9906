"""One request with an Idempotency-Key by the official Python SDK, and the same again; prints what it saw as one line of JSON."""

import json
import sys

import openai

base_url, api_key, key, label = sys.argv[1:5]
client = openai.OpenAI(base_url=base_url, api_key=api_key)
content = json.dumps({"vendor": {"label": label, "outputTokens": 4}}, separators=(",", ":"))


def chat():
    return client.chat.completions.create(
        model="mock", messages=[{"role": "user", "content": content}], extra_headers={"Idempotency-Key": key}
    )


first = chat()
try:
    chat()
    raised = None
except openai.APIStatusError as error:
    raised = {"class": type(error).__name__, "status": error.status_code, "code": error.code, "generation": error.body["generation"]}

print(json.dumps({"cost": first.usage.kilotoken["charges"][0]["amount"], "raised": raised}))
