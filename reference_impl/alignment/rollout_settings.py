"""What every algorithm that learns from rollouts shares: how many, how they are scored, and when to give up."""

from __future__ import annotations
