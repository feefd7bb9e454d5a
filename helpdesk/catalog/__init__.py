"""Every domain event, in the order of a ticket's life, a page for each part of it. Read aloud it is the product's story.

Fields are ids, enumerations and numbers only: an erased person must not live on in the history. A change states the old and the new value.
"""

from helpdesk.catalog.customers import *
from helpdesk.catalog.tickets import *
from helpdesk.catalog.answering import *
from helpdesk.catalog.worth import *
from helpdesk.catalog.knowledge import *
from helpdesk.catalog.mail import *
from helpdesk.catalog.house import *
