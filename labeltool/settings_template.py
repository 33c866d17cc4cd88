"""The text of a new project's `labeltool.toml`."""

TEMPLATE = """\
# Settings of this labeltool project. Every line is optional; these are the defaults.

# annotator = "your name"         # who labels, unless --annotator or LABELTOOL_ANNOTATOR is given

[learning]
architecture = "miniresnet"       # `labeltool retrain --help` lists them
retrain_after = 20                # labels given in the app before a new model is trained in the background
query_strategy = "default"        # the order of the queue; `labeltool simulate --help` lists the strategies
# pretrained = "yamnet"           # suggests labels and is the teacher until the project's own model is better
# patch_s = 1.0                   # seconds of one input of the network; default: the architecture's own
# target = "u5-freertos"          # the ST application that the network is for, which may need shorter patches
# trunk_layers = 11               # yamnet256: layers of the pretrained YAMNet; 5 for less memory, 27 for all of it
# head_units = 56                 # yamnet256: units of the hidden layer behind them; 0: none
# pooling = "log-mean"            # from patches to a clip: "log-mean", "mean", "majority"; default: by validation
cache_gb = 20.0                   # size that computed features may have; those not used for longest are deleted

[labelling]
goal = 20                         # labelled clips that each label should have, for the progress page; 0: none
overlap = 0                       # share of the clips that a second person labels too, without seeing the first's
max_error = 0.05                  # share of wrong clips that a sample must exclude before the rest is accepted

[export]
max_int8_loss = 0.02              # a model that loses more clip accuracy in int8 needs --force
split_shares = [70, 15, 15]       # per cent of the clips for training, validation and test, where no folds decide

[check]                           # from where on `labeltool check` reports; docs/check.md has the reasons
silence_dbfs = -60                # a clip that is nowhere louder is silent
clipped_share = 0.002             # share of a recording's samples that may be clipped
dc_offset = 0.01                  # mean of a recording's samples; full scale is 1
cancelled_db = 6                  # decibels that the mono mix may lose against the channels
shortcut_accuracy = 0.9           # share of clips of which level, length or the like may predict a label
bandwidth_accuracy = 0.8          # share of clips of which the bandwidth alone may predict a label
max_imbalance = 10                # how many times as many clips as another label the most frequent one may have

[backup]
daily = 7                         # days of which a backup is kept in backups/, written before the first change; 0: none

[remote]                          # sounds on web servers and in object stores; docs/remote.md
cache_gb = 10                     # what is kept of them on this disk, in the user's cache; the oldest goes first
timeout_s = 15                    # how long a server may send nothing before the request is repeated

[speech]
# labels = ["speech", "talking"]  # labels that `labeltool transcribe` takes for speech; default: common names
# model = "/models/whisper"       # folder of the speech model, unless --model is given
# language = "en"                 # spoken language; default: detected for each clip

[app]                             # F2 in the app changes them
theme = "auto"                    # "dark", "light"; "auto": by the terminal's background, as far as it is known
autoplay = true                   # whether a clip plays when it appears
colour_map = "teal"               # of spectrograms: "teal", "viridis", "magma", "grey"
db_range = 0                      # decibels that a spectrogram shows; 0: down to the noise of the sound
pixels = "auto"                   # "on": real pixels where the terminal can; "auto": not over SSH; "off": half blocks

[keys]                            # other keys for the app: the action, then one key or several
# undo = "ctrl+z"
# play = ["space", "f9"]
"""
