{#-
Attribution models: how the credit of a checkout is shared among its touchpoints. Each model (vars
rule_models and learnt_models) has a macro `weights_of_<model>`. The macro returns an SQL
expression: an array with one weight (double, not negative) per touchpoint, in order. It can use
these columns:

    touchpoints     array(row(click_id, source, campaign, clicked_at)), ordered, not empty
    markov_weights, shapley_weights
                    map(source, weight), null before the first learning run

`int_touchpoint_credits` divides the weights by their sum, so only their proportions matter. If all
weights are 0, the touchpoints share equally.
-#}
{% macro attribution_models() -%}
    {{ return(var("rule_models") + var("learnt_models")) }}
{%- endmacro %}

{#- The names as SQL literals, for `unnest(array[...])`. -#}
{% macro attribution_model_names() -%}
'{{ attribution_models() | join("', '") }}'
{%- endmacro %}

{#- A row per model for `unnest(array[...])`: its name, its weights, and whether it is learnt. -#}
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

{#- All credit to the last touchpoint whose source is not direct, or to the last one if all are. -#}
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

{#- 40 % each to the first and last touchpoint, 20 % to those between; half each if only two. -#}
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
exp(-ln 2 * age / half-life). Ages count back from the last touchpoint, not from the checkout. That
multiplies all weights by the same number, which the division cancels. It also keeps one weight at
1, so the weights cannot all round to 0, however short the half-life is.
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

{#-
Learnt (attribution_models/). A source that the run does not name has the weight of ' other ', which
stands for all rare sources of the run; without that one, the average weight, 1.
-#}
{% macro weights_of_markov() -%}
{{ learnt_weights('markov_weights') }}
{%- endmacro %}

{% macro weights_of_shapley() -%}
{{ learnt_weights('shapley_weights') }}
{%- endmacro %}

{% macro learnt_weights(weights) -%}
transform(
    touchpoints,
    touchpoint -> coalesce(
        element_at({{ weights }}, touchpoint.source), element_at({{ weights }}, ' other '), 1e0
    )
)
{%- endmacro %}
