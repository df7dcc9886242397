package io.tributary.messages;

/** The column can't hold the field's value. The message explains why, in words for people. */
final class FieldProblem extends Exception {
    private static final long serialVersionUID = 1L;

    FieldProblem(String message) {
        super(message, null, false, false);
    }
}
