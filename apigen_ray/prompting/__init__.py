"""The prompts: seeds, the seed pool, targets, the sampler and its templates."""
