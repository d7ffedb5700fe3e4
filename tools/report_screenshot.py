"""Takes the README's picture of the HTML report: `python tools/report_screenshot.py`, where chromium is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCREENSHOT = ROOT / "docs" / "report.png"
PROGRAMS = {
    "prices.py": "lightning/chained_builder",
    "reviews.py": "transformers/plain",
    "steps.py": "accelerate/session_report_checkpoint",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "training").mkdir()
        for name, fixture in PROGRAMS.items():
            shutil.copy(ROOT / "fixtures" / fixture / "before.py", folder / "training" / name)
        report = folder / "report.html"
        command = [sys.executable, "-m", "migrate_trainers", "--check", "--output-format", "html"]
        # Exit code 1: something would change.
        subprocess.run([*command, "--output-file", str(report), "training"], cwd=folder, stdout=subprocess.DEVNULL)
        browser = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,960"]
        subprocess.run([*browser, f"--screenshot={SCREENSHOT}", report.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
