"""Settings that must not change when a study is resumed, and studies of older versions."""

import json
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from hpo.config.hyperparameters import Hyperparameters
from hpo.config.schema import Budget, Model, Pruner, Retrain, StudyConfig, Training
from hpo.storage.database import FINGERPRINT, StudyError
from hpo.storage.fingerprint import (
    PRUNER_WARMUP,
    as_created,
    as_trained,
    check_unchanged,
    fingerprint,
    former_defaults_of,
)
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from model.data.images import ImageData
from tests.search.trial_lists import small_config
from tests.tools.small_study import CONFIG, SPACE

CHANGES: list[tuple[dict[str, object], str]] = [
    ({"seed": 1}, "seed was 0, is now 1"),
    ({"training": Training(epochs=4)}, "training.epochs was 3, is now 4"),
    ({"training": Training(epochs=3, report_every=0.5)}, "training.report_every"),
    ({"objectives": ("val_bpd", "latent_dim")}, 'objectives was ["val_bpd"], is now ["val_bpd", "latent_dim"]'),
    ({"hyperparameters": SPACE.model_copy(update={"batch_size": 64})}, "hyperparameters.batch_size was 32"),
    ({"hyperparameters": SPACE.model_copy(update={"beta": 1.0})}, "hyperparameters.beta"),
    ({"hyperparameters": SPACE.model_copy(update={"reconstruction": "bce"})}, "hyperparameters.reconstruction"),
    ({"model": CONFIG.model.model_copy(update={"channels": (1, 2, 3, 4)})}, "model"),
]


def test_a_fingerprint_has_the_keys_and_texts_that_older_studies_have_stored(few_images: ImageData) -> None:
    config = small_config().model_copy(update={"seed": 3})
    images = replace(few_images, digest="0123456789abcdef0123")
    found = fingerprint(config, images)
    searched = {key: found.pop(key) for key in list(found) if key.startswith("hyperparameters.")}
    assert found == {
        "data.source": '"folder"',
        "data.digest": '"0123456789abcdef"',
        "seed": "3",
        "objectives": '["val_bpd"]',
        "model": config.model.model_dump_json(),
        "training.epochs": "9",
        "training.report_every": "1.0",
    }
    assert searched["hyperparameters.beta"] == '{"log": true, "low": 0.1, "high": 10.0}'
    assert searched["hyperparameters.schedule"] == '"constant"'


def test_the_shape_of_images_is_part_of_a_fingerprint_unless_it_is_that_of_all_older_studies(
    few_images: ImageData,
) -> None:
    train = replace(few_images.train, images=few_images.train.images[:, :1])
    assert fingerprint(small_config(), replace(few_images, train=train))["data.image_shape"] == "[1, 32, 32]"
    assert "data.image_shape" not in fingerprint(small_config(), few_images)


def test_a_changed_setting_is_refused_with_the_remedy(context: TrialContext) -> None:
    check_unchanged(context.study, fingerprint(CONFIG, context.data), context.paths)
    for change, named in CHANGES:
        changed = fingerprint(CONFIG.model_copy(update=change), context.data)
        with pytest.raises(StudyError, match=r"has different settings.*--fresh") as refusal:
            check_unchanged(context.study, changed, context.paths)
        assert named in str(refusal.value)


def test_other_images_are_refused(context: TrialContext) -> None:
    other = replace(context.data, source="sample", digest="others")
    with pytest.raises(StudyError, match=r"data\.digest was .*; data\.source was \"folder\", is now \"sample\""):
        check_unchanged(context.study, fingerprint(CONFIG, other), context.paths)


def test_budget_and_pruner_may_change(context: TrialContext) -> None:
    changed = CONFIG.model_copy(update={"budget": Budget(trials=99), "pruner": Pruner(name="none")})
    check_unchanged(context.study, fingerprint(changed, context.data), context.paths)


def test_a_study_that_is_older_than_a_setting_continues_with_the_settings_first_value(context: TrialContext) -> None:
    first = fingerprint(CONFIG, context.data)
    del first["hyperparameters.adam_beta2"], first["objectives"]
    first["model"] = json.dumps({"channels": json.loads(first["model"])["channels"]})
    context.study.set_user_attr(FINGERPRINT, first)
    with pytest.raises(StudyError, match=r'adam_beta2 was 0.999, is now 0.98; model was {"architecture":"plain"'):
        check_unchanged(context.study, fingerprint(CONFIG, context.data), context.paths)
    as_then = {
        "model": CONFIG.model.model_copy(
            update={"architecture": "plain", "pca_start": False, "skip_learning_rate": 1.0}
        ),
        "hyperparameters": SPACE.model_copy(update={"adam_beta2": 0.999}),
    }
    check_unchanged(context.study, fingerprint(CONFIG.model_copy(update=as_then), context.data), context.paths)


def test_the_refusal_names_all_differences_also_of_settings_that_one_of_both_lacks(few_images: ImageData) -> None:
    study, stored = optuna.create_study(), fingerprint(CONFIG, few_images)
    study.set_user_attr(FINGERPRINT, stored)
    current = stored | {"new": "1", "seed": "5"}
    del current["training.epochs"]
    with pytest.raises(StudyError) as refusal:
        check_unchanged(study, current, StudyPaths(Path("results/small")))
    assert str(refusal.value) == (
        "results/small: this study has different settings: new was not there, is now 1; "
        "seed was 0, is now 5; training.epochs was 3, is now not there. Change them back, give the new study another "
        "name, or start over with --fresh (make tune FRESH=1), which moves the old study aside"
    )


def test_a_study_of_another_length_alone_is_told_how_to_go_on(few_images: ImageData) -> None:
    study, stored = optuna.create_study(study_name="small"), fingerprint(CONFIG, few_images)
    study.set_user_attr(FINGERPRINT, stored)
    with pytest.raises(
        StudyError, match=r"training.epochs was 3, is now 2. Go on with make tune STUDY=small EPOCHS=3,"
    ):
        check_unchanged(study, stored | {"training.epochs": "2"}, StudyPaths(Path("results/small")))


def test_a_study_keeps_its_own_network_where_its_file_leaves_it_open(context: TrialContext) -> None:
    own = CONFIG.model_copy(update={"model": Model(architecture="norm_free", channels=(8, 8, 16, 16))})
    context.study.set_user_attr(FINGERPRINT, fingerprint(own, context.data))
    for left_open in (Model(), Model(channels=(8, 8, 16, 16))):
        config = as_created(context.study, CONFIG.model_copy(update={"model": left_open}))
        assert config.model.model_dump() == own.model.model_dump()
        check_unchanged(context.study, fingerprint(config, context.data), context.paths)


def test_a_study_from_before_the_flips_goes_on_without_them_unless_its_file_names_them(context: TrialContext) -> None:
    older = fingerprint(CONFIG, context.data)
    del older["hyperparameters.horizontal_flip"]
    context.study.set_user_attr(FINGERPRINT, older)
    assert former_defaults_of(context.study, CONFIG) == {"horizontal_flip": False}
    config = as_created(context.study, CONFIG)
    assert config.hyperparameters.fixed()["horizontal_flip"] is False
    check_unchanged(context.study, fingerprint(config, context.data), context.paths)
    named = CONFIG.model_copy(update={"hyperparameters": SPACE.model_copy(update={"horizontal_flip": True})})
    assert former_defaults_of(context.study, named) == {}
    with pytest.raises(StudyError, match="horizontal_flip was false, is now true"):
        check_unchanged(context.study, fingerprint(named, context.data), context.paths)


def test_a_study_of_a_setting_that_is_gone_goes_on_if_it_did_nothing_there(context: TrialContext) -> None:
    current = fingerprint(CONFIG, context.data)
    context.study.set_user_attr(FINGERPRINT, current | {"hyperparameters.weight_decay": "0.0"})
    check_unchanged(context.study, current, context.paths)
    context.study.set_user_attr(FINGERPRINT, current | {"hyperparameters.weight_decay": "0.1"})
    with pytest.raises(StudyError, match=r"weight_decay was 0\.1, is now not there"):
        check_unchanged(context.study, current, context.paths)


def test_a_line_that_is_deleted_from_the_file_is_no_default_of_an_earlier_version(context: TrialContext) -> None:
    named = CONFIG.model_copy(update={"hyperparameters": SPACE.model_copy(update={"horizontal_flip": False})})
    context.study.set_user_attr(FINGERPRINT, fingerprint(named, context.data))
    assert former_defaults_of(context.study, CONFIG) == {}
    with pytest.raises(StudyError, match="horizontal_flip was false, is now true"):
        check_unchanged(context.study, fingerprint(as_created(context.study, CONFIG), context.data), context.paths)


def test_what_a_file_leaves_to_images_and_machine_is_taken_from_the_study(context: TrialContext) -> None:
    left_open = StudyConfig.model_validate({"name": "small", "model": CONFIG.model, "data": "sample"})
    config = as_created(context.study, left_open)
    assert config.hyperparameters == SPACE
    assert (config.training.epochs, config.retrain.epochs) == (3, "auto")
    check_unchanged(context.study, fingerprint(config, context.data), context.paths)
    named = left_open.model_copy(update={"training": Training(epochs=5), "hyperparameters": Hyperparameters()})
    assert as_created(context.study, named).training.epochs == 5
    with pytest.raises(StudyError, match=r"hyperparameters.beta was .* training.epochs was 3, is now 5"):
        check_unchanged(context.study, fingerprint(as_created(context.study, named), context.data), context.paths)


def test_a_study_from_before_the_automatic_lengths_is_retrained_for_20_epochs(context: TrialContext) -> None:
    older = fingerprint(CONFIG, context.data)
    del older["hyperparameters.horizontal_flip"]
    context.study.set_user_attr(FINGERPRINT, older)
    config = CONFIG.model_copy(update={"retrain": Retrain()})
    assert as_created(context.study, config).retrain.epochs == 20
    named = CONFIG.model_copy(update={"retrain": Retrain(epochs=7)})
    assert as_created(context.study, named).retrain.epochs == 7


def test_other_settings_of_the_network_are_not_taken_from_the_study(context: TrialContext) -> None:
    own = CONFIG.model_copy(update={"model": Model(architecture="norm_free", linear_path=True)})
    context.study.set_user_attr(FINGERPRINT, fingerprint(own, context.data))
    config = as_created(context.study, CONFIG.model_copy(update={"model": Model()}))
    assert config.model == Model(architecture="norm_free", linear_path=False)
    plain = CONFIG.model_copy(update={"model": Model(architecture="plain")})
    context.study.set_user_attr(FINGERPRINT, fingerprint(plain, context.data))
    assert as_created(context.study, CONFIG.model_copy(update={"model": Model()})).model == Model()


def test_a_network_that_the_file_names_is_compared_with_the_studys(context: TrialContext) -> None:
    own = CONFIG.model_copy(update={"model": Model(architecture="norm_free")})
    context.study.set_user_attr(FINGERPRINT, fingerprint(own, context.data))
    named = as_created(context.study, CONFIG.model_copy(update={"model": Model(architecture="linear_skip")}))
    with pytest.raises(
        StudyError, match=r'model was {"architecture":"norm_free".*is now {"architecture":"linear_skip"'
    ):
        check_unchanged(context.study, fingerprint(named, context.data), context.paths)


def test_the_first_rung_is_that_of_the_studys_creation_and_one_epoch_in_older_studies(context: TrialContext) -> None:
    config = CONFIG.model_copy(update={"pruner": Pruner()})
    assert as_created(context.study, config).pruner.warmup_epochs == 1.0
    context.study.set_user_attr(PRUNER_WARMUP, 2.5)
    assert as_created(context.study, config).pruner.warmup_epochs == 2.5
    named = config.model_copy(update={"pruner": Pruner(warmup_epochs=7)})
    assert as_created(context.study, named).pruner.warmup_epochs == 7


def test_a_study_whose_file_has_another_length_and_schedule_is_shown_as_before_and_not_continued(
    context: TrialContext,
) -> None:
    cosine, free = (SPACE.model_copy(update={"schedule": name}) for name in ("cosine", "schedule_free"))
    begun = CONFIG.model_copy(update={"hyperparameters": cosine})
    context.study.set_user_attr(FINGERPRINT, fingerprint(begun, context.data))
    later = CONFIG.model_copy(update={"hyperparameters": free, "training": Training(epochs=2)})
    shown = as_trained(context.study, later)
    assert shown.hyperparameters.schedule == "cosine" and shown.training.n_epochs == 3
    check_unchanged(context.study, fingerprint(shown, context.data), context.paths)
    continued = as_created(context.study, later)
    with pytest.raises(
        StudyError, match=r'schedule was "cosine", is now "schedule_free"; training\.epochs was 3, is now 2'
    ):
        check_unchanged(context.study, fingerprint(continued, context.data), context.paths, continued)
