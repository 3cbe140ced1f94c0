"""From a node to its answers: programme, plan, run, joint sheet, report."""
