"""Where `accelerate_config` comes from: dictionaries built in steps, functions, other modules, files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rewriting import ACCELERATE_IMPORTS, after, codes, findings, migrate
from worker_calls import assert_same_calls

from migrate_trainers import FileResult, Settings, migrate_project
from migrate_trainers.findings import Kind

if TYPE_CHECKING:
    from pathlib import Path

LOOP = """
def loop(config):
    accelerator = Accelerator()

"""
TRAINER = """
trainer = AccelerateTrainer(
    loop, accelerate_config={config}, scaling_config=ScalingConfig(num_workers=2, use_gpu=True)
)
trainer.fit()
"""


def program(config: str, before: str = "") -> str:
    return f"{ACCELERATE_IMPORTS}from copy import deepcopy\nimport os\nfrom pathlib import Path\n{before}{LOOP}" + (
        TRAINER.format(config=config)
    )


BUILT = {
    "a call of dict": ("dict(mixed_precision='bf16')", ""),
    "a constant in it": ("{'mixed_precision': PRECISION}", "PRECISION = 'bf16'\n"),
    "a constant that is rebound before": ("{'mixed_precision': P}", "P = 'fp16'\nP = 'bf16'\n"),
    "filled in steps": ("config", "config = {}\nconfig['mixed_precision'] = 'bf16'\n"),
    "filled again": (
        "config",
        "config = {}\nconfig['debug'] = True\nconfig = {'num_machines': 2}\nconfig['mixed_precision'] = 'bf16'\n",
    ),
    "updated": ("config", "config = {'debug': True}\nconfig.update({'mixed_precision': 'bf16'}, debug=False)\n"),
    "a default that is set": ("config", "config = {}\nconfig.setdefault('mixed_precision', 'bf16')\n"),
    "a key that goes": (
        "config",
        "config = {'mixed_precision': 'bf16', 'precision': 2}\ndel config['precision']\n",
    ),
    "a key that is popped": ("config", "config = {'mixed_precision': 'bf16', 'x': 2}\nconfig.pop('x')\n"),
    "unpacked": ("{**BASE, 'mixed_precision': 'bf16'}", "BASE = {'mixed_precision': 'fp16'}\n"),
    "joined": ("BASE | {'mixed_precision': 'bf16'}", "BASE = {'num_machines': 2}\n"),
    "a copy": ("deepcopy(BASE)", "BASE = {'mixed_precision': 'bf16'}\n"),
    "copied by itself": ("BASE.copy()", "BASE = {'mixed_precision': 'bf16'}\n"),
    "one of several": ("CONFIGS['half']", "CONFIGS = {'half': {'mixed_precision': 'bf16'}, 'full': {}}\n"),
    "of a class": ("Job.CONFIG", "class Job:\n    CONFIG = {'mixed_precision': 'bf16'}\n"),
    "of a function": (
        "make('bf16')",
        "def make(precision, debug=False):\n    '''A configuration.'''\n    config = {'mixed_precision': precision}\n"
        "    config['debug'] = debug\n    return config\n",
    ),
    "of functions of functions": (
        "make()",
        "def inner(x):\n    return dict(mixed_precision=x)\ndef make():\n    return {**inner('bf16')}\n",
    ),
    "of a function with a choice": (
        "make(half=True)",
        "def make(half, debug=None):\n"
        "    return {'mixed_precision': 'bf16' if half else 'no', 'debug': True if debug else False}\n",
    ),
    "nested, filled in steps": (
        "config",
        "config = {'distributed_type': 'FSDP', 'fsdp_config': {}}\n"
        "config['fsdp_config']['fsdp_sharding_strategy'] = 2\n"
        "config['fsdp_config'].update(fsdp_offload_params=True)\n",
    ),
    "given to two trainers": (
        "config",
        "config = {'mixed_precision': 'bf16'}\ndef other(config):\n    Accelerator()\n"
        "AccelerateTrainer(other, accelerate_config=config, scaling_config=ScalingConfig(num_workers=2)).fit()\n",
    ),
    "an enumeration's member": (
        "{'distributed_type': DistributedType.MULTI_GPU, 'mixed_precision': 'bf16'}",
        "class DistributedType:\n    MULTI_GPU = 'MULTI_GPU'\n",
    ),
    "only printed": ("config", "config = {'mixed_precision': 'bf16'}\nprint(config, config['mixed_precision'])\n"),
    "f-strings": ("{'mixed_precision': f'bf{BITS}'}", "BITS = 16\n"),
}


@pytest.mark.parametrize(("config", "before"), BUILT.values(), ids=BUILT.keys())
def test_dictionary(config: str, before: str) -> None:
    source = program(config, before)

    assert_same_calls(source, after(migrate(source)))


NOT_KNOWN = {
    "of an unknown function": ("effect({})", ""),
    "of a function with an effect": ("make()", "def make():\n    effect(1)\n    return {}\n"),
    "with an effect inside": ("make()", "def make():\n    x = effect(1)\n    return {}\n"),
    "changed under a condition": ("config", "config = {}\nif effect(1):\n    config['mixed_precision'] = 'bf16'\n"),
    "changed in a loop": ("config", "config = {}\nfor p in ('bf16',):\n    config['mixed_precision'] = p\n"),
    "given away": ("config", "config = {}\neffect(config)\n"),
    "known by two names": ("config", "config = {}\nother = config\nother['mixed_precision'] = 'bf16'\n"),
    "changed in a function": (
        "config",
        "config = {}\ndef fill():\n    config['mixed_precision'] = 'bf16'\nfill()\n",
    ),
    "one of two": ("config", "if effect(1):\n    config = {}\nelse:\n    config = {'mixed_precision': 'bf16'}\n"),
    "a part that changes later": (
        "config",
        "part = {}\nconfig = {'distributed_type': 'FSDP', 'fsdp_config': part}\npart['fsdp_offload_params'] = True\n",
    ),
    "a parameter that is changed": (
        "make({})",
        "def make(config):\n    config['mixed_precision'] = 'bf16'\n    return config\n",
    ),
    "rebound by a function": (
        "config",
        "config = {}\ndef f():\n    global config\n    config = {'debug': True}\nf()\n",
    ),
    "its key": ("{effect('mixed_precision'): 'bf16'}", ""),
    "returned early": ("make()", "def make():\n    if effect(1):\n        return {'debug': True}\n    return {}\n"),
}


@pytest.mark.parametrize(("config", "before"), NOT_KNOWN.values(), ids=NOT_KNOWN.keys())
def test_dictionary_that_cannot_be_seen(config: str, before: str) -> None:
    result = migrate(program(config, before))

    assert result.after == result.before
    assert codes(result, Kind.MANUAL) == ["MT301"]


def test_lines_that_only_made_the_configuration_go() -> None:
    before = (
        "# How to run.\nbase = {}\nbase['mixed_precision'] = 'bf16'\nsettings = {**base}\nsettings['debug'] = False\n"
    )

    text = after(migrate(program("settings", before)))

    assert "base" not in text
    assert "settings" not in text
    assert "# How to run.\n" in text


def test_member_of_the_enumeration_of_accelerate() -> None:
    settings = "{'distributed_type': DistributedType.FSDP, 'fsdp_config': {'fsdp_min_num_params': 2000}}"

    text = after(migrate(program(settings, "from accelerate.utils import DistributedType\n")))

    assert '"FSDP_MIN_NUM_PARAMS": "2000"' in text


def test_dictionary_that_is_read_later() -> None:
    source = program("config", "config = {'mixed_precision': 'bf16'}\n") + "print(config)\n"

    result = migrate(source)

    assert "MT315" in codes(result, Kind.REVIEW)
    assert "config = {'mixed_precision': 'bf16'}" in after(result)


def test_keys_that_accelerate_never_took() -> None:
    for key, part in (("gradient_accumulation_steps", "inside `deepspeed_config` only"), ("precision", "never took")):
        result = migrate(program(f"{{'{key}': 2}}"))

        assert result.after == result.before
        assert any(part in text for text in findings(result)), findings(result)


# Files

YAML = """\
compute_environment: LOCAL_MACHINE
debug: false
distributed_type: FSDP
downcast_bf16: 'no'
fsdp_config:
  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP
  fsdp_backward_prefetch_policy: BACKWARD_PRE
  fsdp_offload_params: false
  fsdp_sharding_strategy: 1
  fsdp_state_dict_type: FULL_STATE_DICT
  fsdp_transformer_layer_cls_to_wrap: Block
machine_rank: 0
mixed_precision: bf16
num_machines: 1
num_processes: 2
use_cpu: false
"""
FILES = {
    "all that `accelerate config` writes": ("accelerate.yaml", YAML),
    "JSON": ("accelerate.json", json.dumps({"mixed_precision": "fp16", "distributed_type": "MULTI_GPU"})),
    "flags that YAML reads": ("accelerate.yaml", "distributed_type: NO\nmixed_precision: no\n"),
    "the form of old versions": ("accelerate.yaml", "distributed_type: MULTI_GPU\nfp16: true\n"),
    "the form of old versions, without": ("accelerate.yaml", "distributed_type: MULTI_GPU\nfp16: false\n"),
    "dynamo at the top": ("accelerate.yaml", "dynamo_backend: INDUCTOR\nmixed_precision: bf16\n"),
    "dynamo of its own": (
        "accelerate.yaml",
        "dynamo_config:\n  dynamo_backend: INDUCTOR\n  dynamo_mode: max-autotune\n  dynamo_use_dynamic: true\n"
        "  dynamo_use_fullgraph: false\n",
    ),
    "DeepSpeed": (
        "accelerate.yaml",
        "distributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_multinode_launcher: standard\n  zero_stage: 2\n"
        "  gradient_accumulation_steps: 4\n  offload_optimizer_device: none\n  zero3_init_flag: false\n",
    ),
    "DeepSpeed by file": (
        "accelerate.yaml",
        "distributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_config_file: /shared/ds.json\n"
        "  zero3_init_flag: true\n",
    ),
    "Megatron": (
        "accelerate.yaml",
        "distributed_type: MEGATRON_LM\nmegatron_lm_config:\n  megatron_lm_tp_degree: 2\n"
        "  megatron_lm_sequence_parallelism: true\n  megatron_lm_gradient_clipping: 0.5\nmixed_precision: bf16\n",
    ),
}
PATHS = {
    "a text": "{name!r}",
    "a path": "Path({name!r})",
    "beside the script": "Path(__file__).parent / {name!r}",
    "beside the script, absolute": "Path(__file__).resolve().parent.joinpath({name!r})",
    "by os.path": "os.path.join(os.path.dirname(os.path.abspath(__file__)), {name!r})",
    "as text": "str(Path(__file__).parent / {name!r})",
    "in parts": "f'./{{NAME}}'",
    "from where it is run": "os.path.join(os.getcwd(), {name!r})",
}


def migrated_in(folder: Path, source: str) -> FileResult:
    script = folder / "train.py"
    return migrate_project({script: source.encode()})[script]


@pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES.keys())
def test_file(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    source = program(repr(name))

    result = migrated_in(tmp_path, source)

    assert_same_calls(source, after(result))
    assert "MT316" in codes(result, Kind.REVIEW)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_path_of_the_file(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half.yml").write_text("mixed_precision: bf16\n")
    source = program(path.format(name="half.yml"), "NAME = 'half.yml'\n")

    result = migrated_in(tmp_path, source)

    assert_same_calls(source, after(result), script=str(tmp_path / "train.py"))


def test_file_of_the_folder_above(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "half.yml").write_text("mixed_precision: bf16\n")
    (tmp_path / "setup.py").write_text("")
    script = tmp_path / "scripts" / "train.py"
    others = {tmp_path / "setup.py": b""}

    for path in ("'half.yml'", "Path(__file__).parent.parent / 'half.yml'"):
        results = migrate_project({script: program(path).encode()}, Settings(), others)

        assert 'Accelerator(mixed_precision="bf16")' in after(results[script])


BROKEN = {
    "not there": ("'other.yml'", "mixed_precision: bf16\n"),
    "no YAML": ("'half.yml'", "mixed_precision: [\n"),
    "no dictionary": ("'half.yml'", "- 1\n"),
    "outside": ("'/etc/half.yml'", "mixed_precision: bf16\n"),
    "outside, by its folder": ("'../half.yml'", "mixed_precision: bf16\n"),
}


@pytest.mark.parametrize(("path", "text"), BROKEN.values(), ids=BROKEN.keys())
def test_file_that_cannot_be_read(path: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "half.yml").write_text(text)

    result = migrated_in(tmp_path / "project", program(path))

    assert codes(result, Kind.MANUAL) == ["MT304"]


def test_two_files_that_a_path_may_mean(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "half.yml").write_text("mixed_precision: bf16\n")
    (tmp_path / "scripts" / "half.yml").write_text("mixed_precision: fp16\n")
    script = tmp_path / "scripts" / "train.py"

    results = migrate_project({script: program("'half.yml'").encode()}, Settings(), {tmp_path / "setup.py": b""})

    assert codes(results[script], Kind.MANUAL) == ["MT304"]


def test_configuration_of_another_module(tmp_path: Path) -> None:
    (tmp_path / "half.yml").write_text("mixed_precision: bf16\n")
    modules = {
        "settings.py": b"from pathlib import Path\nCONFIG = {'mixed_precision': 'bf16'}\n"
        b"FILE = Path(__file__).parent / 'half.yml'\ndef make(precision):\n    return {'mixed_precision': precision}\n",
    }
    for value in ("CONFIG", "settings.CONFIG", "make('bf16')", "FILE", "{**CONFIG}"):
        source = program(value, "import settings\nfrom settings import CONFIG, FILE, make\n")
        files = {tmp_path / name: data for name, data in modules.items()}

        results = migrate_project({tmp_path / "train.py": source.encode()}, Settings(), files)

        assert 'Accelerator(mixed_precision="bf16")' in after(results[tmp_path / "train.py"])
