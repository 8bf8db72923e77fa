"""Reports: a trained model on one page. `pb.report` is its function.

    answers, layers     what is measured, on the outputs and inside
    run                 all of it together
    findings            what of it is worth a second look
    pictures, sections  how it is shown
"""
