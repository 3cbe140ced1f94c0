"""What everything else stands on: types, places, time, ledger, findings, words, progress, chance."""
