"""What customers ask and what becomes of it: intake, thread, life cycle, clocks, surveys. Stands on crm and kb."""
