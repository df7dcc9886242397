package io.tributary.attribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.apache.flink.table.api.dataview.MapView;
import org.junit.jupiter.api.Test;

/** Which attempts to pay for a line were answered, and which one a new attempt names. */
final class AttemptsTest {
    private static final long LOOKBACK_MS = 600;

    private final MapView<String, Long> answered = new MapView<>();

    @Test
    void anAttemptIsKnownOnceItIsAdded() throws Exception {
        assertFalse(line(1).contain(50));
        line(1).add(50);
        assertTrue(line(1).contain(50));
        assertFalse(line(1).contain(51));
    }

    @Test
    void earlierAttemptsAreStillKnown() throws Exception {
        line(1).add(50);
        line(1).add(70);
        line(1).add(60);
        for (long atMs : new long[] {50, 60, 70}) {
            assertTrue(line(1).contain(atMs));
        }
        assertFalse(line(1).contain(55));
    }

    @Test
    void aLineWithOneAttemptTakesOneEntry() throws Exception {
        line(1).add(50);
        assertEquals(Map.of("o\n1", 50L), answered.getMap());
    }

    @Test
    void linesOfACheckoutAreKeptApart() throws Exception {
        line(1).add(50);
        assertFalse(line(2).contain(50));
        assertNull(line(2).latestNear(50, LOOKBACK_MS));
    }

    @Test
    void anAttemptNamesTheLatestOneWithinTheLookback() throws Exception {
        assertNull(line(1).latestNear(50, LOOKBACK_MS));
        line(1).add(50);
        assertEquals(50, line(1).latestNear(50 + LOOKBACK_MS, LOOKBACK_MS));
        assertNull(line(1).latestNear(51 + LOOKBACK_MS, LOOKBACK_MS));
    }

    @Test
    void anAttemptThatIsAnsweredAfterALaterOneNamesThatOne() throws Exception {
        line(1).add(50);
        assertEquals(50, line(1).latestNear(40, LOOKBACK_MS));
    }

    @Test
    void aCopyOfACheckoutThatAnEarlierVersionAnsweredIsKnown() throws Exception {
        answered.put("o", 50L);
        assertTrue(line(1).contain(50));
        assertFalse(line(1).contain(51));
        line(1).add(51);
        assertTrue(line(1).contain(50));
    }

    private Attempts line(long productId) throws Exception {
        return Attempts.of(
                new Checkout("o", productId, 1, null, null, "card", "failed", null), answered);
    }
}
