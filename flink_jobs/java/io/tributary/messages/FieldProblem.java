package io.tributary.messages;

/** A field's value is not what its column can hold; the message says why, for people. */
final class FieldProblem extends Exception {
    private static final long serialVersionUID = 1L;

    FieldProblem(String message) {
        super(message, null, false, false);
    }
}
