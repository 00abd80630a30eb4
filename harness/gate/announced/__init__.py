"""A gate's result, told elsewhere.

telling.py        where a verdict goes: files, and a webhook
webhook.py        an address that takes messages, and sending one
messages.py       the message: JSON, Slack's blocks, Teams' card
job_link.py       where the CI job that measured it can be looked at
"""
