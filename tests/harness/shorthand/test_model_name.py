"""MODEL as it is typed: what it is taken for, and the sentence where it is nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.results.run import Run
from harness.shorthand import model_name
from harness.shorthand.hub import why_not_on_hub
from harness.shorthand.model_name import named_model, named_models


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(model_name, "why_not_on_hub", lambda *given: "the hub is not asked here")
    monkeypatch.chdir(tmp_path)


def models(*texts: str) -> dict[str, dict[str, object]]:
    return named_models(texts, Path("runs"))


def test_each_kind(tmp_path: Path) -> None:
    (tmp_path / "llama").mkdir()
    (tmp_path / "llama" / "config.json").write_text("{}")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "checkpoint.json").write_text("{}")
    found = models("llama", "./own", "asset:smollm2-135m-instruct", "nano", "reference:llama")
    assert found == {
        "llama": {"transformers": "llama"},
        "own": {"reference": "./own"},
        "smollm2-135m-instruct": {"transformers": "asset:smollm2-135m-instruct"},
        "nano": {"reference": "nano", "train": {"corpus": "microworld", "tokens": 1_000_000}},
        "llama-2": {"reference": "llama"},
    }
    assert models("smollm2-135m-instruct") == models("asset:smollm2-135m-instruct")


def test_settings_and_budget_go_into_the_entry() -> None:
    found = named_models(["nano"], Path("runs"), {"shape": {"layers": 1}}, {"corpus": "microworld", "steps": 1})
    assert found["nano"] == {
        "reference": "nano",
        "train": {"corpus": "microworld", "steps": 1},
        "shape": {"layers": 1},
    }


def test_a_model_of_a_run(finished_run: Run) -> None:
    import yaml

    suite = yaml.safe_load(finished_run.manifest.suite_text)["models"]
    out, name = finished_run.folder.parent, next(iter(suite))
    for text in (f"latest:{name}", f"{finished_run.folder}:{name}", f"{finished_run.name}:{name}"):
        assert named_models([text], out) == {name: suite[name]}
    with pytest.raises(UserError, match=f"no model 'nobody'; name one: .*:{name}"):
        named_models(["latest:nobody"], out)


def test_a_hub_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_name, "why_not_on_hub", lambda *given: None)
    assert models("owner/name@v2") == {"name": {"transformers": "owner/name", "revision": "v2"}}
    assert models("hub:nano") == {"nano": {"transformers": "nano"}}, "and not the preset"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nanoo", "did you mean 'nano'.*hub:nanoo"),
        ("models/gpt", "no model folder 'models/gpt'; did you mean 'models/gpt2'.*hub:models/gpt"),
        ("Models/gpt2", "no model folder 'Models/gpt2'; did you mean 'models/gpt2'.*hub:Models/gpt2"),
        ("models/GPT2", "did you mean 'models/gpt2'"),
        ("lama", "no model folder 'lama'; did you mean 'llama'.*hub:lama"),
        ("LLAMA", "did you mean 'llama'"),
        ("./gpt2", "no model folder './gpt2'"),
        ("/nowhere/at/all", "there is no 'nowhere' in /"),
        ("models", "holds no model"),
        ("models/weights.gguf", "GGUF files are not read"),
        ("asset:smolm2", "smollm2"),
        ("asset:shakespeare", "no model"),
        ("latest:nano", "no run here"),
        ("owner/name", "no folder, asset, preset or run here, and the hub is not asked here"),
        ("gpt3-175b", "has .* M parameters and no weights yet.*harness train"),
        ("transformers:nano", "is trained here"),
        (" ", "a model is a folder"),
        ("a\x1b[1m", "characters that don't print"),
    ],
)
def test_nothing_is_found(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "models" / "gpt2").mkdir(parents=True)
    (tmp_path / "models" / "weights.gguf").write_text("")
    (tmp_path / "llama").mkdir()
    (tmp_path / "llama" / "config.json").write_text("{}")
    with pytest.raises(UserError, match=said):
        models(text)


def test_all_names_that_are_wrong_are_told() -> None:
    with pytest.raises(UserError) as found:
        models("nanoo", "nano", "nano", "./none")
    assert [line.partition("'")[2].partition("'")[0] for line in str(found.value).splitlines()] == [
        "nanoo", "nano", "./none"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "said"),
    [("adapter_config.json", "this is an adapter"), ("model.gguf", "GGUF files are not read")],
)
def test_a_folder_of_something_else(tmp_path: Path, file: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / file).write_text("{}")
    with pytest.raises(UserError, match=said):
        models("folder")


def test_a_folder_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()

    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(UserError, match=r"MODEL: 'locked' can't be read \(Permission denied\)"):
        models("locked")


def test_twice_and_none() -> None:
    with pytest.raises(UserError, match="named twice"):
        models("nano", "nano")
    with pytest.raises(UserError, match="no model was named"):
        models()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that has `owner/there` alone, holds `owner/gated` back and fails at `owner/broken`."""
    import huggingface_hub.constants

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/api/models/").partition("?")[0]
            status, code = {
                "owner/there": (200, ""),
                "owner/there/revision/v2": (200, ""),
                "owner/there/revision/v3": (404, "RevisionNotFound"),
                "owner/gated": (403, "GatedRepo"),
                "owner/broken": (500, ""),
            }.get(name, (404, "RepoNotFound"))
            body = json.dumps({"id": "owner/there", "siblings": []}).encode()
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    yield
    server.shutdown()


def test_the_hub_is_asked(hub: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from functools import partial

    from huggingface_hub import HfApi, constants

    monkeypatch.setattr("huggingface_hub.HfApi", partial(HfApi, endpoint=constants.ENDPOINT))
    assert why_not_on_hub("owner/there") is None
    assert why_not_on_hub("owner/there", "v2") is None
    for name, revision, said in [
        ("owner/there", "v3", "no revision 'v3'"),
        ("owner/gated", None, "accepted its terms"),
        ("owner/none", None, "no such model"),
        ("owner/broken", None, "status 500"),
        ("a b", None, "can't be a name of the hub"),
    ]:
        assert said in str(why_not_on_hub(name, revision)), name


def test_no_hub_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    from functools import partial

    from huggingface_hub import HfApi

    monkeypatch.setattr("huggingface_hub.HfApi", partial(HfApi, endpoint="http://127.0.0.1:9"))
    assert "can't be reached" in str(why_not_on_hub("owner/there"))


def test_one_of_several_trainings_of_a_run_is_that_of_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from harness.shorthand.run_model import model_of_run

    entry = "{reference: nano, train: {corpus: microworld, steps: 2}, matrix: {seed: [0, 1]}}"
    models: dict[str, dict[str, str]] = {"nano seed=0": {}, "nano seed=1": {}}
    manifest = SimpleNamespace(suite_text=f"models: {{nano: {entry}}}", models=models)
    monkeypatch.setattr("harness.shorthand.run_model.find_run", lambda *_: SimpleNamespace(name="r", manifest=manifest))
    name, found = model_of_run("r", "nano seed=1", Path("runs"), "MODEL")
    assert name == "nano"
    assert found == {"reference": "nano", "train": {"corpus": "microworld", "steps": 2, "seed": 1}}
    with pytest.raises(UserError, match="trained nano 2 times; name one: 'r:nano seed=0', 'r:nano seed=1'"):
        model_of_run("r", "nano", Path("runs"), "MODEL")


def test_an_aligned_model_of_a_run_is_opened_as_what_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from harness.shorthand.run_model import model_of_run

    suite = "models: {chat: {transformers: 'asset:x'}, m: {from: chat, train: {sft: {}}, matrix: {seed: [0, 1]}}}"
    known = {f"m seed={seed}": {"path": str(tmp_path), "kind": "transformers", "digest": "d"} for seed in (0, 1)}
    manifest = SimpleNamespace(suite_text=suite, models=known)
    monkeypatch.setattr("harness.shorthand.run_model.find_run", lambda *_: SimpleNamespace(name="r", manifest=manifest))
    monkeypatch.setattr("harness.shorthand.run_model.is_trained", lambda folder: folder == tmp_path)
    assert model_of_run("r", "m seed=1", Path("runs"), "MODEL") == ("m", {"transformers": str(tmp_path)})
    monkeypatch.setattr("harness.shorthand.run_model.is_trained", lambda folder: False)
    with pytest.raises(UserError, match="no longer in the cache: run its suite again"):  # its suite alone has `chat`
        model_of_run("r", "m seed=1", Path("runs"), "MODEL")


def test_the_seed_of_a_point_is_every_stage_s() -> None:
    from harness.shorthand.run_model import _seeded

    assert _seeded({"steps": 2}, 1) == {"steps": 2, "seed": 1}
    assert _seeded({"sft": {"epochs": 2}}, 1) == {"sft": {"epochs": 2, "seed": 1}}


def test_a_kept_folder_of_transformers_is_no_checkpoint_of_ours(tmp_path: Path) -> None:
    for name in ("checkpoint.json", "config.json"):
        (tmp_path / name).write_text("{}")
    assert named_model(str(tmp_path), Path("runs")).entry == {"reference": str(tmp_path)}
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert named_model(str(tmp_path), Path("runs")).entry == {"transformers": str(tmp_path)}
