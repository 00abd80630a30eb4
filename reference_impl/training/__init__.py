"""Training a GPT on a stream of tokens, as pure pieces that a short loop puts together.

`settings.py` says how, `batches.py` which tokens come at which step, `schedule.py` how fast,
`accumulation.py` makes gradients, `optimizer.py` applies them (`adam_oracle.py` says what that is), `validation.py`
measures. `loop.py` is the loop of every training here, with any objective, any batches, several models and optimizers;
`pretraining.py` puts it together with the rest, `state.py` is what a run changes as it goes, `state_file.py` keeps it
(`state_of_version_1.py` reads older ones), `result.py` says and `checkpoint.py` keeps what came of it:
`checkpoint_folder.py` proves the files, `checkpoint_weights.py` puts the weights into a model.
`python -m reference_impl.training --help` trains from the shell.
"""
