{#-
Attribution models: how a checkout's credit is shared among its touchpoints. Each one is a macro
`weights_of_<model>` that gives an SQL expression, an array of a weight (double, not negative) for
each touchpoint in order, over these columns:

    touchpoints     array(row(click_id, source, campaign, clicked_at)), ordered, not empty
    markov_weights, shapley_weights
                    map(source, weight), null before anything was learnt

`int_touchpoint_credits` divides by their sum, so that only their proportions matter. Where all are
0 it shares equally.
-#}
{% macro attribution_models() -%}
    {{ return(var("rule_models") + var("learnt_models")) }}
{%- endmacro %}

{#- Their names as SQL literals, for `unnest(array[...])`. -#}
{% macro attribution_model_names() -%}
'{{ attribution_models() | join("', '") }}'
{%- endmacro %}

{#- For `unnest(array[...])`: a row for each model, with its name, weights, and whether it is learnt. -#}
{% macro weights_of_all_models() -%}
    {%- for model in attribution_models() %}
row(
    '{{ model }}',
    {{ context['weights_of_' ~ model]() | indent(4) }},
    {{ (model in var("learnt_models")) | lower }}
){{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro weights_of_first_touch() -%}
transform(
    sequence(1, cardinality(touchpoints)),
    number -> if(number = 1, 1e0, 0e0)
)
{%- endmacro %}

{% macro weights_of_last_touch() -%}
transform(
    sequence(1, cardinality(touchpoints)),
    number -> if(number = cardinality(touchpoints), 1e0, 0e0)
)
{%- endmacro %}

{#- All to the last touch that an ad, a letter or a link brought; where none did, to the last one. -#}
{% macro weights_of_last_non_direct() -%}
{%- set direct = "'" ~ var("direct_sources") | join("', '") ~ "'" -%}
transform(
    sequence(1, cardinality(touchpoints)),
    number -> if(
        number = reduce(
            sequence(1, cardinality(touchpoints)),
            cast(null as bigint),
            (found, each) -> if(touchpoints[each].source in ({{ direct }}), found, each),
            found -> coalesce(found, cardinality(touchpoints))
        ),
        1e0,
        0e0
    )
)
{%- endmacro %}

{% macro weights_of_linear() -%}
transform(touchpoints, touchpoint -> 1e0)
{%- endmacro %}

{#- 40 % each to the first and the last touch, 20 % to all between; without any between, half each. -#}
{% macro weights_of_position_based() -%}
transform(
    sequence(1, cardinality(touchpoints)),
    number -> case
        when cardinality(touchpoints) <= 2 then 1e0
        when number in (1, cardinality(touchpoints)) then 0.4e0
        else 0.2e0 / (cardinality(touchpoints) - 2)
    end
)
{%- endmacro %}

{#-
exp(-ln 2 * age / half-life). Ages are counted from the last touch instead of the checkout: that
multiplies all weights by one number, which the division takes out again, and keeps at least one of
them at 1, however short the half-life is.
-#}
{% macro weights_of_time_decay() -%}
transform(
    touchpoints,
    touchpoint -> exp(
        -ln(2e0)
        * date_diff('millisecond', touchpoint.clicked_at, element_at(touchpoints, -1).clicked_at)
        / (1000e0 * {{ var("time_decay_half_life_seconds") }})
    )
)
{%- endmacro %}

{#- Learnt (attribution_models/); a source that the run does not know counts as the average: 1. -#}
{% macro weights_of_markov() -%}
transform(
    touchpoints,
    touchpoint -> coalesce(element_at(markov_weights, touchpoint.source), 1e0)
)
{%- endmacro %}

{% macro weights_of_shapley() -%}
transform(
    touchpoints,
    touchpoint -> coalesce(element_at(shapley_weights, touchpoint.source), 1e0)
)
{%- endmacro %}
