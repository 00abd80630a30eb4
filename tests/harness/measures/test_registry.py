"""The registry: complete, consistent, and free of heavy imports."""

import subprocess
import sys

import pytest

from harness.errors import UserError
from harness.measures.registry import MEASURES, metric


def test_importing_it_is_light() -> None:
    program = (
        "import sys, harness.measures.registry as r, harness.results.fingerprint as f, harness.models.open;"
        "f.fingerprint();"
        "print([m for m in ('torch', 'transformers', 'pandas', 'scipy', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_metrics_are_found_by_name_and_by_id() -> None:
    assert metric("tpot").unit == "ms"
    assert metric("tpot@1") is metric("tpot")
    with pytest.raises(UserError, match="no metric is called 'speed'; there are acc, acc_bytes, "):
        metric("speed")


def test_no_two_measures_declare_the_same_name() -> None:
    """But for two that tasks have under lm-evaluation-harness' names: of a text, and of a task's documents."""
    names = [declared.name for measure in MEASURES.values() for declared in measure.metrics]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == {"perplexity", "bits_per_byte"}
    assert metric("perplexity") in MEASURES["perplexity"].metrics


def test_every_setting_has_a_default_or_is_asked_for() -> None:
    required = {
        name: [f for f, i in m.settings.model_fields.items() if i.is_required()] for name, m in MEASURES.items()
    }
    assert (
        required
        | {
            "perplexity": ["text"],
            "task": ["task"],
            "fidelity": ["text"],
            "inference": [],
            "memory": [],
            "diversity": ["text"],
            "kv_cache": [],
            "training": [],
            "training_speed": [],
            "activations": ["text"],
            "in_context": ["text"],
            "in_context_regression": [],
        }
        == required
    ), "a measure that is new is not asked for here"
    with pytest.raises(ValueError, match="iteration"):
        MEASURES["inference"].settings.model_validate({"iteration": 3})
