"""Generate libs/proto/headrace from proto/: messages, stubs and typed signatures.

Run by `make proto`. The output is never committed; a changed .proto file regenerates everything.
"""

from __future__ import annotations

import shutil
import sys
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
OUT = ROOT.parent / "libs" / "proto"


def main() -> int:
    shutil.rmtree(OUT / "headrace", ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("headrace/**/*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{ROOT}",
            f"-I{well_known}",
            f"--python_out={OUT}",
            f"--grpc_python_out={OUT}",
            f"--plugin=protoc-gen-mypy={Path(sys.executable).parent / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
            f"--mypy_out=readable_stubs,quiet:{OUT}",
            f"--mypy_grpc_out=readable_stubs,quiet:{OUT}",
            *files,
        ]
    )
    if code == 0:
        for folder in [OUT / "headrace", *(OUT / "headrace").rglob("*/")]:
            (folder / "__init__.py").touch()
        (OUT / "headrace" / "py.typed").touch()
    return int(code)


if __name__ == "__main__":
    raise SystemExit(main())
