"""Files of annotation programs: TextGrid (Praat), ELAN, JAMS, AOEF (soundevent, Whombat), Label Studio."""
