from __future__ import annotations

from citebot.cli import main

if __name__ == "__main__":
    main()
