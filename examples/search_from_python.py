"""Search, retrain and use the model from Python. In the checkout's root: python -m examples.search_from_python

Takes about a minute on two CPU cores; results go to results/tiny/.
"""

from pathlib import Path

import hpo
import model


def main() -> None:
    """Run a small search, retrain its best trial, and encode, reconstruct and sample with the trained model."""
    config = hpo.load_config("examples/tiny.yaml")

    study = hpo.tune(config, on_event=print, on_notice=print)
    found = hpo.study_results(study)
    assert found is not None, "a trial has finished"
    print(f"Best: trial {found.best.number} with {found.best.score:.3f} bits/dim: {dict(found.best.params)}")
    print(hpo.trials_frame(study)[["number", "beta", "latent_dim", "val_bpd"]])

    run = hpo.retrain(config, on_notice=print)
    print(f"Retrained: test_bpd {run.metrics['test_bpd']:.3f}, pPCA {run.metrics['ppca_bpd']:.3f}")

    trained = model.load_model(Path("results/tiny/best/model.pt"))
    images = model.load_sample().test.pixels[:8]
    means, _ = trained.encode(images)
    print(f"Codes: {means.shape}; reconstructions: {trained.reconstruct(images).shape}")
    print(f"Samples of the prior: {trained.sample(16, seed=1).shape}")


if __name__ == "__main__":
    main()
