"""Functions of the user's file that report checkpoints, keep dictionaries in these, and models in the dictionaries."""

from __future__ import annotations

REPORT_DICTIONARY = '''\
def {name}(metrics, data):
    """Report metrics, and the first worker's dictionary as a checkpoint."""
    with {tempfile}.TemporaryDirectory() as folder:
        checkpoint = None
        if data is not None and {get_context}().get_world_rank() == 0:
{unwrap}\
            {torch}.save(data, {os}.path.join(folder, "checkpoint.pt"))
            checkpoint = {checkpoint_class}.from_directory(folder)
        {report}(metrics, checkpoint=checkpoint)
'''
REPORT_FIRST_WORKER = '''\
def {name}(metrics, checkpoint=None):
    """Report metrics, and the first worker's checkpoint: current Ray would take the files of all workers."""
    if {get_context}().get_world_rank() != 0:
        checkpoint = None
    {report}(metrics, checkpoint=checkpoint)
'''
LOAD_DICTIONARY = '''\
def {name}(checkpoint):
    """The dictionary that a checkpoint holds."""
    with checkpoint.as_directory() as folder:
        return {torch}.load({os}.path.join(folder, "checkpoint.pt"), map_location="cpu", weights_only=False)
'''
DICTIONARY_CHECKPOINT = '''\
def {name}(data):
    """A checkpoint with a file that holds a dictionary."""
    folder = {tempfile}.mkdtemp()
{unwrap}\
    {torch}.save(data, {os}.path.join(folder, "checkpoint.pt"))
    return {checkpoint_class}.from_directory(folder)
'''
UNWRAP = "{indent}data = {{key: {name}(value) for key, value in data.items()}}\n"
WITHOUT_WRAPPER = '''\
def {name}(value):
    """A model, or its state, as it is without the wrapper for several workers."""
    if isinstance(value, {torch}.nn.Module):
        return getattr(value, "module", value)
    if isinstance(value, dict) and any(str(key).startswith("module.") for key in value):
        return {{key.removeprefix("module."): item for key, item in value.items()}}
    return value
'''
LOAD_TORCH_MODEL = '''\
def {name}(checkpoint, model=None):
    """The model that a checkpoint holds, or a given one with the weights that it holds."""
    saved = {load_dictionary}(checkpoint)["model"]
    if isinstance(saved, {torch}.nn.Module):
        return saved
    model.load_state_dict(saved)
    return model
'''
