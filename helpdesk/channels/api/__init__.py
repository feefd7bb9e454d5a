"""The door for programs: the REST API under /api/v1.

routes     a resource declares its routes in one table: `@get`, `@post`, `@patch`; the edge of the API is written once, here
schemas    what programs send (strict) and are shown; faults in words
bodies     a request's JSON, query and files, read and checked before any transaction begins
once       Idempotency-Key: a request sent twice is done once
openapi    the route table and the schemas as an OpenAPI 3.1 document; docs: the page that shows it and tries calls
tickets messages contacts articles desk   one module per resource, listed in `views.RESOURCES`
"""
