"""What a run leaves behind: its tracked metrics, its line in the ledger, its report."""
