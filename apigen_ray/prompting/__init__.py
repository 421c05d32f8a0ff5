"""What a model is asked: seeds, the seed pool, targets, the sampler and its templates."""
