"""The e-mail door: mail in, mail understood, mail out.

Raw bytes are stored first. Understanding them is pure: `bounded.parse` (in a guarded child process) or `parse.parse` turn bytes into a
`mail.Mail` and touch neither database nor network. What a mail means for a ticket is decided above, by intake.
"""
