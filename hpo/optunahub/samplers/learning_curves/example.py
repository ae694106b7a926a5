"""Example: tunes a classifier of scikit-learn, and continues its paused trials where they stopped.

Needs scikit-learn and optunahub. A trial trains a network on pictures of digits for up to 16 epochs.
"""

import copy
from pathlib import Path

import numpy as np
import optuna
import optunahub
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

# Once the package is in OptunaHub's registry: optunahub.load_module("samplers/learning_curves").
curves = optunahub.load_local_module("samplers/learning_curves", registry_root=str(Path(__file__).resolve().parents[2]))

N_EPOCHS = 16
images, digits = load_digits(return_X_y=True)
train_x, valid_x, train_y, valid_y = train_test_split(images / 16, digits, test_size=0.3, random_state=0)
# Trained models by the number of the trial; with longer trainings, files.
checkpoints: dict[int, MLPClassifier] = {}


def objective(trial: optuna.Trial) -> float:
    """Return the loss on held-out digits, in nats."""
    model = MLPClassifier(
        hidden_layer_sizes=(trial.suggest_int("width", 8, 256, log=True),),
        learning_rate_init=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        alpha=trial.suggest_float("alpha", 1e-6, 1.0, log=True),
        batch_size=trial.suggest_categorical("batch_size", [16, 32, 64, 128]),
        random_state=0,
    )
    first_epoch = 1
    if (continued := curves.continued_trial(trial)) is not None:
        model = copy.deepcopy(checkpoints[continued])
        first_epoch = 1 + max(trial.study.trials[continued].intermediate_values)
    for epoch in range(first_epoch, N_EPOCHS + 1):
        model.partial_fit(train_x, train_y, classes=np.unique(digits))
        loss: float = log_loss(valid_y, model.predict_proba(valid_x))
        trial.report(loss, epoch)
        if trial.should_prune():
            checkpoints[trial.number] = model
            raise optuna.TrialPruned
    return loss


def search(n_trials: int) -> optuna.Study:
    """Search with so many trials, and train the most promising one to the end."""
    study = optuna.create_study(
        sampler=curves.LearningCurveSampler(n_steps=N_EPOCHS, seed=0),
        pruner=curves.PausingPruner(n_steps=N_EPOCHS),
    )
    study.optimize(objective, n_trials, callbacks=[curves.enqueue_promotion])
    curves.enqueue_completion(study)
    while study.get_trials(states=[optuna.trial.TrialState.WAITING]):
        study.optimize(objective, n_trials=1)
    return study


if __name__ == "__main__":
    study = search(n_trials=60)
    n_continued = sum(curves.continued_trial(trial) is not None for trial in study.trials)
    n_epochs = sum(len(trial.intermediate_values) for trial in study.trials)
    print(f"{len(study.trials)} trials, of which {n_continued} continued another one: {n_epochs} epochs in all")
    print(f"Best loss {study.best_value:.4f} with {study.best_params}")
