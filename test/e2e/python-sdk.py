"""What a customer's program does with the official Python SDK; prints what it saw as one line of JSON."""

import json
import sys

import openai

base_url, api_key = sys.argv[1], sys.argv[2]
client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
messages = [{"role": "user", "content": '{"vendor": {"outputTokens": 7}}'}]


def raised(make):
    try:
        make()
    except openai.APIStatusError as error:
        return {"class": type(error).__name__, "status": error.status_code, "code": error.code}
    return None


def chat(**changes):
    return client.chat.completions.create(**{"model": "mock", "messages": messages, **changes})


raw = client.chat.completions.with_raw_response.create(model="mock", messages=messages, n=2)
chunks = list(chat(stream=True, stream_options={"include_usage": True}))
legacy = client.completions.create(model="mock", prompt="once", max_tokens=3)

print(
    json.dumps(
        {
            "json": raw.parse().model_dump(),
            "charge": raw.headers["x-kilotoken-charge"],
            "stream": {
                "text": "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices),
                "finish": [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason],
                "usage": chunks[-1].usage.model_dump(),
            },
            "legacy": legacy.choices[0].text,
            "models": [model.id for model in client.models.list()],
            "raised": {
                "key": raised(lambda: client.with_options(api_key="kt_live_nonsense").models.list()),
                "model": raised(lambda: chat(model="none")),
                "parameter": raised(lambda: chat(extra_body={"api_base": "http://elsewhere"})),
                "path": raised(lambda: client.embeddings.create(model="mock", input="x")),
                "funds": raised(lambda: chat(model="dear")),
            },
        }
    )
)
