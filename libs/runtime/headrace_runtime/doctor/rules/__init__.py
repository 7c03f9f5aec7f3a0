"""What the answers of servers mean for Headrace. Pure: each rule takes what was answered and gives a finding."""
