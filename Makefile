#| Bayesian hyperparameter optimization of a convolutional VAE.
#|
#|   make tune            search: sample, train and prune trials; run it again to resume
#|   make best-retrain    retrain the best trial at full length; draw all figures and the animation
#|   make train           train one model with given values, by default the tutorial's, and draw it
#|   make figures         redraw a finished run from its files: RUN=results/cifar10/best FPS=4
#|   make dashboard       browse the study in optuna-dashboard; without STUDY= all of them
#|   make report          rewrite the study's page: results/<study>/report/index.html
#|
#|   make test            run the tests, except for the long suites
#|   make test-long       run the long suites: fault injection and browser
#|   make test-all        make test, make test-long
#|   make lint            run ruff and mypy --strict
#|   make check           make lint, make test
#|   make bench           time training against a textbook loop, side by side; a quarter of an hour
#|   make bench-search    replay searches on a table of learning curves; about half an hour on two cores
#|   make bench-scale     run simulated workers on one PostgreSQL server; ten minutes
#|   make showcase        rebuild results/showcase: tune, retrain, copy; an hour on two cores
#|   make help            print this page
#|
#| Set a variable after the target: make tune STUDY=quick TRIALS=10
#|
#|   STUDY=cifar10        name of a study in study_configs/ (cifar10, quick, ...), or path of its file
#|   TRIALS=              tune: total number of configurations of the study, over all calls
#|   TIMEOUT=             tune: stop this call after this many minutes
#|   WORKERS=             tune: number of processes that share the study, the cores and the GPUs
#|   FROM_STUDY=          tune: start a new study from the results of this one
#|   FRESH=               tune: FRESH=1 starts over instead of resuming
#|   STORAGE=  FILES=     all but train and figures: database and object store that machines share
#|   RAY=                 tune: address of a Ray cluster that runs the workers
#|   DEVICE=              auto, cpu, cuda or mps; empty: the study file's (tune, best-retrain), else auto
#|   TRIAL=               best-retrain: number of a trial to retrain instead of the best
#|   EPOCHS=              tune: length of a trial, more to make those of a study longer; best-retrain, train: epochs
#|   BETA=  LATENT_DIM=   train: weight of the rate; number of latent dimensions
#|   LEARNING_RATE=       train: learning rate of Adam
#|   BATCH_SIZE=          train: images per step
#|   SCHEDULE=            train: learning-rate schedule: constant, cosine or schedule_free
#|   ARCHITECTURE=        train: linear_skip, norm_free, or plain for the tutorial's
#|   LINEAR_PATH=         train: LINEAR_PATH=1 adds probabilistic PCA to the convolutions
#|   DATA=                train: cifar10, sample or a folder of images
#|   OUTPUT=              train: folder for the results; empty: results/train
#|   TEST=                train: TEST=1 also scores the test split
#|   RUN=  FPS=           figures: folder of the run; frames per second
#|   FULL=                bench-search: FULL=1 repeats more often, and also with 16 workers
#|   HOST=  PORT=         dashboard: address to listen on; empty: this machine only
#|   READ_ONLY=           dashboard: READ_ONLY=1 shows the study and refuses every change
#|   PYTHON=python3       Python (3.11 or newer) that .venv is made from
#|
#| The first call installs the packages into .venv, with uv if it is on PATH. On Linux without an
#| NVIDIA GPU, the CPU build of PyTorch is enough and takes 2 GB instead of 8:
#|
#|   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make tune

# Assigned even if empty, so that an exported HOST or DEVICE has no effect.
STUDY   = cifar10
TRIALS  =
TIMEOUT =
WORKERS =
FROM_STUDY =
FRESH   =
STORAGE =
FILES   =
RAY     =
DEVICE  =
TRIAL   =
EPOCHS  =
BETA    =
LATENT_DIM =
LEARNING_RATE =
BATCH_SIZE =
SCHEDULE =
ARCHITECTURE =
LINEAR_PATH =
DATA    =
OUTPUT  =
TEST    =
RUN     =
FPS     =
FULL    =
HOST    =
PORT    =
READ_ONLY =
PYTHON  = python3

# Python and matplotlib find this project and their own defaults, whatever the shell exports.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH MPLBACKEND MATPLOTLIBRC
export PYTHONUTF8 = 1

python := .venv/bin/python
# One process per core, up to four, with one thread each. In the order of the folders: slow files do not come last.
pytest := OMP_NUM_THREADS=1 $(python) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# $(call quoted,STUDY) is the value for the shell, character by character: make expands no $, the shell no '.
quoted  = '$(subst ','\'',$(value $1))'
# $(call option,--trials,TRIALS) begins with a space, and is empty if TRIALS is.
option  = $(if $(strip $(value $2)), $1 $(call quoted,$2))
# $(call flag,--fresh,FRESH) likewise, and also if FRESH is 0, no or false.
flag    = $(if $(filter-out 0 no false,$($2)), $1)
# Broken inside of calls, where make reads a line end as the space that is there anyway.
# The study that is named on the command line, if one is.
named_study = $(if $(filter command,$(origin STUDY)),$(if $(strip $(value STUDY)), $(call quoted,STUDY)))
shared_options = $(call option,--storage,STORAGE)$(call option,--files,FILES)
tune_options = $(call option,--trials,TRIALS)$(call option,--timeout,TIMEOUT)$(call \
  option,--epochs,EPOCHS)$(call option,--workers,WORKERS)$(call option,--device,DEVICE)$(call \
  option,--from-study,FROM_STUDY)$(call flag,--fresh,FRESH)$(call option,--ray,RAY)$(shared_options)
retrain_options = $(call option,--trial,TRIAL)$(call option,--epochs,EPOCHS)$(call \
  option,--device,DEVICE)$(shared_options)
train_options = $(call option,--beta,BETA)$(call option,--latent-dim,LATENT_DIM)$(call \
  option,--learning-rate,LEARNING_RATE)$(call option,--batch-size,BATCH_SIZE)$(call \
  option,--epochs,EPOCHS)$(call option,--schedule,SCHEDULE)$(call option,--data,DATA)$(call \
  option,--architecture,ARCHITECTURE)$(call flag,--linear-path,LINEAR_PATH)$(call \
  option,--device,DEVICE)$(call option,--output,OUTPUT)$(call flag,--test,TEST)

.PHONY: help tune best-retrain train figures dashboard report bench bench-search bench-scale showcase test test-long test-all lint check .packages .dev-packages .cluster-packages .s3-server .peer-packages .share-packages .track-packages .mlflow-server
# With -j, too, one target after the other: showcase needs tune before best-retrain.
.NOTPARALLEL:

help:
	@sed -n 's/^#| \{0,1\}//p' Makefile

tune: .packages
	$(python) -m hpo tune $(call quoted,STUDY)$(tune_options)

best-retrain: .packages
	$(python) -m hpo retrain $(call quoted,STUDY)$(retrain_options)

train: .packages
	$(python) -m hpo train$(train_options)

figures: .packages
	$(python) -m hpo figures $(call quoted,RUN)$(call option,--fps,FPS)$(call option,--device,DEVICE)

dashboard: .packages
	$(python) -m hpo dashboard$(named_study)$(call option,--host,HOST)$(call option,--port,PORT)$(call flag,--read-only,READ_ONLY)$(shared_options)

report: .packages
	$(python) -m hpo report $(call quoted,STUDY)$(shared_options)

bench: .packages
	$(python) -m benchmarks.throughput$(call option,--device,DEVICE)

bench-search: .packages
	$(python) -m benchmarks.search.judged
	$(python) -m benchmarks.search.replay$(call flag,--full,FULL)

bench-scale: .dev-packages
	$(python) -m benchmarks.scale

showcase: tune best-retrain
	$(python) -m scripts.make_showcase $(call quoted,STUDY)

test: .dev-packages
	$(pytest) -m 'not long and not faults and not browser'

test-long: .dev-packages
	$(pytest) -m 'long or faults or browser'

test-all: test test-long

lint: .dev-packages
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy --strict

check: lint test

# Both return at once if .venv already holds the content of the file.
.packages:
	@$(set_up) requirements.txt

.dev-packages:
	@$(set_up) requirements-dev.txt

# What --storage, --files and --ray need.
.cluster-packages:
	@$(set_up) requirements-cluster.txt

# A server for the tests with S3, in a .venv of its own: its packages do not go with ours.
.s3-server: .dev-packages
	@test -x .venv/s3/bin/moto_server || { $(python) -m venv .venv/s3 && .venv/s3/bin/pip install --quiet 'moto[server]~=5.2'; }

# The searches of other packages, which python -m benchmarks.search.judged compares with ours.
.peer-packages:
	@$(set_up) requirements-peers.txt

# What python -m hpo export-model needs.
.share-packages:
	@$(set_up) requirements-share.txt

# What python -m hpo export --to needs.
.track-packages:
	@$(set_up) requirements-track.txt

# The server for the tests with MLflow, in a .venv of its own, for the same reason.
.mlflow-server: .dev-packages
	@test -x .venv/mlflow/bin/mlflow || { $(python) -m venv .venv/mlflow && .venv/mlflow/bin/pip install --quiet 'mlflow~=3.17.0'; }

define set_up
command -v $(call quoted,PYTHON) >/dev/null || { \
  printf "'%s' was not found: install Python 3.11 or newer, or name yours: make PYTHON=/path/to/python3\n" \
    $(call quoted,PYTHON) >&2; \
  exit 2; }; \
$(call quoted,PYTHON) -I scripts/setup_venv.py
endef
