"""By which templates a document is shown."""

from __future__ import annotations

from pathlib import Path

from harness.tasks.config import FewshotConfig, TaskConfig
from harness.tasks.prompts.document_templates import Templates


def test_few_shot_examples_have_keys_of_their_own() -> None:
    own = FewshotConfig(doc_to_text="E: {{question}}", target_delimiter="-")
    config = TaskConfig(
        task="t", file=Path("t.yaml"), doc_to_text="question", doc_to_target="label", fewshot_config=own
    )
    templates = Templates.examples(config)
    assert (templates.text, templates.target, templates.target_delimiter) == ("E: {{question}}", "label", "-")
    assert Templates.asked(config).text == "question"
