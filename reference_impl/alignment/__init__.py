"""Alignment: a pretrained model learns from demonstrations (SFT), from preferences (reward model, DPO) and from rewards
(PPO, GRPO and their relatives), all on the training loop of `reference_impl.training`.

Everything learns from `Answered`: a prompt and a response in token ids. Everything that learns is a `Policy`, which
says what its model makes of responses; `GPTPolicy` is our GPT.
"""
