"""What makes two cells the same: everything that determines a result is in the key."""

from pathlib import Path

from harness.execution.plan import make_plan
from harness.suite.load import load_suite


def test_the_same_weights_opened_by_another_engine_are_other_cells(llama_folder: Path, tmp_path: Path) -> None:
    """Their digest is the same; their speed and memory are not."""
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: two\nmodels:\n"
        f"  ours: {{reference: {llama_folder}}}\n"
        f"  theirs: {{transformers: {llama_folder}}}\n"
        "matrix: {precision: fp32}\n"
        "measures:\n  - inference: {prompt: 4, generate: 2}\n"
    )
    ours, theirs = make_plan(load_suite(str(suite))).cells
    assert ours.source.digest == theirs.source.digest and ours.key != theirs.key
