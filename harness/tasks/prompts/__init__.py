"""A document becomes what a model is asked.

`prompt.py` puts it together. `document_templates.py` says by which templates a document is shown, `rendering.py` and
`template.py` render one, `document.py` is what they all give, `right_answer.py` what is right of it; `constructed.py`
is for task files whose own class makes the requests. `fewshot.py` chooses the examples.
"""
