"""What each kind of journal record is in the System Log: a module for each module of `org/records`. Pure."""
