"""Articles from elsewhere and back again: Markdown files (in a folder or a zip), a table of questions and answers, JSON lines.

A Markdown file begins with what is known about it, then comes the text; its folders name language and topic:

    en/returns/send-it-back.md        ---
                                      key: returns-1
                                      title: Send it back
                                      tags: box, label
                                      ---
                                      ## Pack it …

`key` joins the languages of one article and finds it again at the next import, which then changes what differs and leaves the rest alone.
Commands and the screen share all of it: `reading` understands files, `taking` compares and publishes, `runs` does that beside other work
and takes it back, `writing` is the way out.
"""
