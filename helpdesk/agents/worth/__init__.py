"""What customers are worth: computed anew every night from orders, payments, returns, ratings, tickets and our own time.

facts     one customer after the other, streamed from the database in a few ordered queries
compute   everybody's figures by the formulas of `crm.value`, `crm.btyd` and `crm.health`; numpy and scipy live here and nowhere else
process   the child process that computes; the serving process never imports scipy
nightly   when it is time, and what a supervisor may ask for
"""
