"""What a model is told: the only texts that are sent to one, with their versions.

Nothing of a prompt keeps a secret or holds a permission: whoever reads it all, or makes a model forget it, has won
nothing. What a model may see was decided before, and what it says is checked afterwards.
"""

from __future__ import annotations

from citebot.prompting.answer import ANSWER_VERSION, Prompt, write
from citebot.prompting.estimate import tokens
from citebot.prompting.frames import document
from citebot.prompting.rewriting import REWRITING_VERSION, rewriting

__all__ = ["ANSWER_VERSION", "REWRITING_VERSION", "Prompt", "document", "rewriting", "tokens", "write"]
