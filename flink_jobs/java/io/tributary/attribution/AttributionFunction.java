package io.tributary.attribution;

import static org.apache.flink.table.annotation.ArgumentTrait.SET_SEMANTIC_TABLE;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.annotation.ArgumentHint;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.StateHint;
import org.apache.flink.table.api.dataview.ListView;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.inference.CallContext;

/**
 * Finds the click that earned a checkout. Emits one row for each attempt to pay for a line, as soon
 * as the watermark reaches it ({@link Attempts}).
 *
 * <p>Clicks and checkouts come in one table, partitioned by user, because Flink 2.1 allows scalar
 * arguments only beside a single table.
 *
 * <p>Event time is a plain column, without an `on_time` argument, on purpose. With that argument
 * Flink drops rows behind this operator's watermark before `eval`. A source subtask that was idle
 * may send such rows, although they were on time in that subtask. So nothing is dropped here: a
 * checkout at or behind the watermark is answered at once, from the clicks still in state.
 *
 * <p>The state of a user is clicks, checkouts that wait for the watermark, answered attempts, and a
 * ledger. A sweep frees what is older than the lookback; it runs once per user and
 * lookback. Each waiting checkout has a timer.
 */
@DataTypeHint(value = "ROW<checkout_id STRING, product_id BIGINT, quantity INT,"
                + " total_usd DECIMAL(12, 2), profit_usd DECIMAL(12, 2),"
                + " payment_method STRING, payment_status STRING, failure_reason STRING,"
                + " checked_out_at TIMESTAMP_LTZ(6),"
                + " touchpoints ARRAY<ROW<click_id STRING, product_id BIGINT,"
                + " source STRING, campaign STRING, clicked_at TIMESTAMP_LTZ(6)>>,"
                + " touchpoint_count INT, click_id STRING, click_source STRING,"
                + " click_campaign STRING, clicked_at TIMESTAMP_LTZ(6), is_attributed BOOLEAN,"
                + " is_truncated BOOLEAN, other_attempt_at TIMESTAMP_LTZ(6),"
                + " attributed_at TIMESTAMP_LTZ(6)>",
        bridgedTo = RowData.class)
public final class AttributionFunction
        extends ProcessTableFunction<RowData> implements SpecializedFunction {
    private static final long serialVersionUID = 1L;

    private static final Comparator<Checkout> BY_LINE =
            Comparator.<Checkout, String>comparing(checkout -> checkout.checkout_id)
                    .thenComparing(checkout -> checkout.product_id);

    /** The touchpoint of a checkout that no click earned: all its columns are null. */
    private static final GenericRowData NO_CLICK =
            new GenericRowData(PackedClick.TOUCHPOINT_TIME + 1);

    private static final int LOOKBACK_SECONDS_POSITION = 1;
    private static final int MAX_TOUCHPOINTS_POSITION = 2;
    private static final int MAX_CLICKS_POSITION = 3;
    private static final int UNKNOWN_IDS_POSITION = 4;

    private final long lookbackMs;
    private final int maxTouchpoints;
    private final int maxClicks;
    private final Set<String> unknownIds;
    private transient Counter unkeptClicks;

    /** Used by the planner, which then calls {@link #specialize} with the literals of the call. */
    public AttributionFunction() {
        this(0, 0, 0, Set.of());
    }

    private AttributionFunction(
            long lookbackMs, int maxTouchpoints, int maxClicks, Set<String> unknownIds) {
        this.lookbackMs = lookbackMs;
        this.maxTouchpoints = maxTouchpoints;
        this.maxClicks = maxClicks;
        this.unknownIds = unknownIds;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        CallContext call = context.getCallContext();
        return new AttributionFunction(
                literal(call, LOOKBACK_SECONDS_POSITION, Integer.class) * 1000L,
                literal(call, MAX_TOUCHPOINTS_POSITION, Integer.class),
                literal(call, MAX_CLICKS_POSITION, Integer.class),
                Set.of(literal(call, UNKNOWN_IDS_POSITION, String.class).split("\n")));
    }

    private static <T> T literal(CallContext call, int position, Class<T> type) {
        return call.getArgumentValue(position, type)
                .orElseThrow(
                        () -> call.newValidationError("Argument %s must be a literal", position));
    }

    @Override
    public void open(FunctionContext context) {
        unkeptClicks = context.getMetricGroup().counter("unkept_clicks");
    }

    /** Stores a click. Stores a checkout until the watermark reaches it, or answers it at once. */
    public void eval(Context context,
            @StateHint(ttl = "0 s") Ledger ledger,
            @StateHint(ttl = "0 s") ListView<byte[]> clicks,
            @StateHint(ttl = "0 s") MapView<Long, Checkout[]> waiting,
            @StateHint(ttl = "0 s") MapView<String, Long> answered,
            @ArgumentHint(value = SET_SEMANTIC_TABLE,
                    type = @DataTypeHint(value = JourneyEvents.TYPE, bridgedTo = RowData.class))
            RowData event,
            Integer lookback_seconds,
            Integer max_touchpoints,
            Integer max_clicks_per_user,
            String unknown_ids) throws Exception {
        TimeContext<Long> time = context.timeContext(Long.class);
        long at = JourneyEvents.occurredAtMs(event);
        if (!JourneyEvents.isCheckout(event)) {
            keep(at, event, ledger, clicks);
            scheduleSweep(time, ledger, at);
        } else if (at > watermark(time)) {
            await(at, JourneyEvents.toCheckout(event), waiting);
            time.registerOnTime(at);
        } else {
            answer(at, new Checkout[] {JourneyEvents.toCheckout(event)}, ledger, clicks, answered);
            scheduleSweep(time, ledger, at);
        }
    }

    /**
     * Answers the checkouts that happened at the timer's millisecond, and sweeps if that is due.
     */
    public void onTimer(OnTimerContext context,
            Ledger ledger,
            ListView<byte[]> clicks,
            MapView<Long, Checkout[]> waiting,
            MapView<String, Long> answered) throws Exception {
        TimeContext<Long> time = context.timeContext(Long.class);
        long now = time.time();
        Checkout[] due = waiting.get(now);
        if (due != null) {
            waiting.remove(now);
            answer(now, due, ledger, clicks, answered);
            scheduleSweep(time, ledger, now);
        }
        if (ledger.sweep_at_ms != null && ledger.sweep_at_ms == now) {
            sweep(now - lookbackMs, ledger, clicks, answered);
            rescheduleSweep(time, ledger, answered.isEmpty());
        }
    }

    private void keep(long at, RowData click, Ledger ledger, ListView<byte[]> clicks)
            throws Exception {
        if (ledger.clickCount() >= maxClicks) {
            ledger.noteUnkept(at);
            unkeptClicks.inc();
            return;
        }
        ledger.click_count = ledger.clickCount() + 1;
        clicks.add(JourneyEvents.toClick(click));
    }

    private static void await(long at, Checkout checkout, MapView<Long, Checkout[]> waiting)
            throws Exception {
        Checkout[] others = waiting.get(at);
        Checkout[] all =
                others == null ? new Checkout[1] : Arrays.copyOf(others, others.length + 1);
        all[all.length - 1] = checkout;
        waiting.put(at, all);
    }

    /**
     * Emits a row for each checkout of one millisecond, except for copies of answered ones. A
     * checkout with an unknown id is joined with nothing: no click and no other attempt.
     */
    private void answer(long at,
            Checkout[] checkouts,
            Ledger ledger,
            ListView<byte[]> clicks,
            MapView<String, Long> answered) throws Exception {
        Journey journey = Journey.within(at - lookbackMs, at, clicks.get());
        boolean isTruncated = ledger.hasUnkeptWithin(at - lookbackMs, at);
        Arrays.sort(checkouts, BY_LINE);
        for (Checkout checkout : checkouts) {
            Attempts attempts = Attempts.of(checkout, answered);
            if (attempts.contain(at)) {
                continue;
            }
            collect(unknownIds.contains(checkout.checkout_id)
                            ? row(at, checkout, Journey.NONE, false, null)
                            : row(at,
                                      checkout,
                                      journey,
                                      isTruncated,
                                      attempts.latestNear(at, lookbackMs)));
            attempts.add(at);
        }
    }

    private RowData row(
            long at, Checkout checkout, Journey journey, boolean isTruncated, Long otherAttemptMs) {
        byte[] first = journey.firstOn(checkout.product_id);
        GenericRowData click = first == null ? NO_CLICK : PackedClick.toRow(first);
        return GenericRowData.of(StringData.fromString(checkout.checkout_id),
                checkout.product_id,
                checkout.quantity,
                money(checkout.total_usd),
                money(checkout.profit_usd),
                StringData.fromString(checkout.payment_method),
                StringData.fromString(checkout.payment_status),
                StringData.fromString(checkout.failure_reason),
                TimestampData.fromEpochMillis(at),
                journey.toRows(maxTouchpoints),
                journey.size(),
                click.getField(PackedClick.TOUCHPOINT_ID),
                click.getField(PackedClick.TOUCHPOINT_SOURCE),
                click.getField(PackedClick.TOUCHPOINT_CAMPAIGN),
                click.getField(PackedClick.TOUCHPOINT_TIME),
                first != null,
                isTruncated,
                otherAttemptMs == null ? null : TimestampData.fromEpochMillis(otherAttemptMs),
                TimestampData.fromEpochMillis(System.currentTimeMillis()));
    }

    private static DecimalData money(BigDecimal amount) {
        return DecimalData.fromBigDecimal(
                amount, JourneyEvents.MONEY_PRECISION, JourneyEvents.MONEY_SCALE);
    }

    /** Drops what is before the horizon: no checkout ahead of the watermark needs it. */
    private static void sweep(
            long horizonMs, Ledger ledger, ListView<byte[]> clicks, MapView<String, Long> answered)
            throws Exception {
        List<byte[]> kept = new ArrayList<>();
        for (byte[] click : clicks.get()) {
            if (PackedClick.clickedAtMs(click) >= horizonMs) {
                kept.add(click);
            }
        }
        if (kept.size() < ledger.clickCount()) {
            clicks.setList(kept);
        }
        ledger.click_count = kept.isEmpty() ? null : Integer.valueOf(kept.size());
        ledger.forgetUnkeptBefore(horizonMs);
        Iterator<Map.Entry<String, Long>> attempts = answered.iterator();
        while (attempts.hasNext()) {
            if (attempts.next().getValue() < horizonMs) {
                attempts.remove();
            }
        }
    }

    private void scheduleSweep(TimeContext<Long> time, Ledger ledger, long eventMs) {
        if (ledger.sweep_at_ms == null) {
            // Flink ignores a timer at or behind the watermark, and the state would never be freed.
            ledger.sweep_at_ms = Math.max(eventMs + lookbackMs, watermark(time)) + 1;
            time.registerOnTime(ledger.sweep_at_ms);
        }
    }

    private void rescheduleSweep(TimeContext<Long> time, Ledger ledger, boolean hasNoAttempts) {
        boolean isEmpty =
                ledger.click_count == null && ledger.last_unkept_ms == null && hasNoAttempts;
        long now = ledger.sweep_at_ms;
        ledger.sweep_at_ms = null;
        if (!isEmpty) {
            scheduleSweep(time, ledger, now);
        }
    }

    private static long watermark(TimeContext<Long> time) {
        Long watermark = time.currentWatermark();
        return watermark == null ? Long.MIN_VALUE : watermark;
    }
}
