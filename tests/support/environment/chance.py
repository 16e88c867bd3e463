"""Environments that nobody has seen: names, values and targets of references at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from support.environment.api import GONE, Api, Body, Json, reference
from support.environment.automations import NOTHING, retarget, selected, when
from support.environment.block_types import PASSWORD, nested
from support.environment.canaries import Canaries
from support.environment.planted import Environment
from support.environment.pools import template


def random_environment(url: str, seed: int, *, canaries: Canaries | None = None) -> None:
    """Fill a server with an environment drawn from ``seed``: names, values and reference targets at random."""
    with Api(url) as api:
        environment = Environment(api, canaries or Canaries(seed))
        draw = Draw(environment, random.Random(seed))
        for plant in (draw.variables, draw.limits, draw.blocks, draw.pools, draw.deployments, draw.automations):
            plant()


class Draw:
    """One random environment in the making."""

    def __init__(self, environment: Environment, source: random.Random) -> None:
        self.environment = environment
        self.random = source

    def count(self, most: int) -> range:
        return range(self.random.randint(0, most))

    def name(self, taken: Iterable[str] = ()) -> str:
        """A name the server takes: short, from letters that are easy to confuse or to escape wrongly."""
        while True:
            made = "".join(
                self.random.choices("aAbB01 ._-:~#?+=\"'\\{}[]()|ßéÉ☃\U0001f680", k=self.random.randint(1, 14))
            )
            if made.strip(" .") == made and made not in taken and not made.lower().startswith("prefect"):
                return made

    def slug(self, taken: Iterable[str] = ()) -> str:
        while True:
            made = "".join(self.random.choices("abcxyz0189-", k=self.random.randint(2, 10)))
            if made not in taken and made.strip("-") == made:
                return made

    def value(self, depth: int = 3) -> Json:
        """Any JSON value, now and then one that holds an id or a template."""
        simple = [None, True, 0, -1.5, 2**53, "", "********", "{{ x }}", self.name(), self.mention(), self.template()]
        if depth == 0 or self.random.random() < 0.6:
            return self.random.choice(simple)
        if self.random.random() < 0.5:
            return [self.value(depth - 1) for _ in self.count(3)]
        return {self.name(): self.value(depth - 1) for _ in self.count(3)}

    def mention(self) -> str:
        """Text around an id that is already known."""
        environment = self.environment
        known = [*environment.variables.values(), *environment.blocks.values(), *environment.flows.values(), GONE]
        return f"{self.name()}{self.random.choice(known)}{self.name()}"

    def template(self) -> str:
        blocks = [key.replace("/", ".") for key in self.environment.blocks] or ["secret.gone"]
        variables = [*self.environment.variables, "gone"]
        which = (f"blocks.{self.random.choice(blocks)}", f"variables.{self.random.choice(variables)}")
        return "{{ prefect." + self.random.choice(which) + " }}"

    def parameters(self) -> Body:
        made = {self.slug(): self.value() for _ in self.count(4)}
        for key in self.some(self.environment.blocks, 2):
            made[self.slug()] = self.random.choice(
                [
                    reference(self.environment.blocks[key]),
                    {"$ref": self.environment.blocks[key]},
                    {"$ref": {"block_document_slug": key}},
                ]
            )
        return made

    def some(self, items: Iterable[str], most: int) -> list[str]:
        known = sorted(items)
        return self.random.sample(known, min(len(known), self.random.randint(0, most)))

    def maybe(self, **fields: Json) -> Body:
        """Each field with even chances."""
        return {key: value for key, value in fields.items() if self.random.random() < 0.5}

    def variables(self) -> None:
        for _ in range(self.random.randint(1, 12)):
            name = self.slug(self.environment.variables).replace("-", "_")
            if name not in self.environment.variables:
                self.environment.variable(name, self.value(), *{self.name() for _ in self.count(3)})

    def limits(self) -> None:
        for _ in self.count(5):
            fields = self.maybe(active=self.random.random() < 0.5, slot_decay_per_second=self.random.random())
            self.environment.limit(self.name(self.environment.limits), self.random.randint(0, 9), **fields)
        for tag in sorted({self.slug() for _ in self.count(4)}):
            self.environment.tag_limit(tag, self.random.randint(0, 9))

    def blocks(self) -> None:
        """Types that nest the ones before them, and documents that refer along those lines."""
        for _ in self.count(3):
            self.environment.block("secret", self.slug(self.fellows("secret")), {"value": self.secret_value()})
        chain: list[str] = []
        for _ in range(self.random.randint(1, 4)):
            slug = f"r-{self.slug(self.environment.types)}"
            self.environment.block_type(slug, slug, **self.maybe(description=self.name(), code_example="a < b & c"))
            self.random_schema(slug, chain)
            for _ in range(self.random.randint(1, 3)):
                self.random_document(slug, chain)
            chain.append(slug)

    def fellows(self, slug: str) -> set[str]:
        return {key.partition("/")[2] for key in self.environment.blocks if key.startswith(f"{slug}/")}

    def secret_value(self) -> Json:
        canaries = self.environment.canaries
        makers: list[Callable[[], Json]] = [
            canaries.mask,
            canaries.mask_number,
            lambda: {"a": canaries.mask()},
            lambda: [canaries.mask()],
        ]
        return self.random.choice(makers)()

    def random_schema(self, slug: str, chain: list[str]) -> None:
        properties: Body = {"plain": {"title": "plain"}, "secret": PASSWORD, "many": {"type": "object"}}
        fields: Body = {"secret_fields": ["secret", "many.*"]}
        if chain:
            references, definitions = nested(self.environment, chain[-1])
            properties["child"] = {"$ref": f"#/definitions/{chain[-1]}"}
            fields |= {"block_schema_references": {"child": references[0]}, "definitions": definitions}
        self.environment.schema(slug, properties, capabilities=self.some(["write-path", "notify"], 2), **fields)

    def random_document(self, slug: str, chain: list[str]) -> None:
        plain = self.random.choice([None, 1, self.name(), [self.mention()], {"a": self.template()}])
        data: Body = {
            "plain": plain,
            **self.maybe(secret=self.environment.canaries.mask(), many={"k": self.secret_value()}),
        }
        children = [
            value for key, value in self.environment.blocks.items() if chain and key.startswith(f"{chain[-1]}/")
        ]
        if children and self.random.random() < 0.7:
            data["child"] = reference(self.random.choice(children))
        self.environment.block(slug, self.slug(self.fellows(slug)), data)

    def pools(self) -> None:
        environment = self.environment
        for _ in range(self.random.randint(1, 4)):
            pool = self.name(environment.pools)
            block = self.random.choice(list(environment.blocks.values()))
            shape = template(
                {"x": "{{ x }}"}, x={"type": "object", "default": reference(block)}, y={"default": self.template()}
            )
            storage = {"default_result_storage_block_id": block}
            fields = self.maybe(
                base_job_template=shape,
                is_paused=True,
                concurrency_limit=3,
                description=self.name(),
                storage_configuration=storage,
            )
            environment.pool(pool, self.random.choice(["process", "docker", "acme"]), **fields)
            for _ in self.count(4):
                taken = [key.removeprefix(f"{pool}/") for key in environment.queues if key.startswith(f"{pool}/")]
                fields = self.maybe(
                    priority=self.random.randint(1, 9), is_paused=True, concurrency_limit=2, description="q"
                )
                environment.queue(pool, self.name(taken), **fields)

    def deployments(self) -> None:
        environment = self.environment
        for _ in range(self.random.randint(1, 6)):
            flow = self.name(environment.flows)
            environment.flow(flow, *self.some(["t1", "t2"], 2), **self.maybe(label=self.name()))
            for _ in self.count(4):
                taken = [key.removeprefix(f"{flow}/") for key in environment.deployments if key.startswith(f"{flow}/")]
                made = environment.deployment(flow, self.name(taken), **self.deployment_fields())
                environment.schedules(made, *self.schedule_list())

    def deployment_fields(self) -> Body:
        environment = self.environment
        fields = self.maybe(
            description=self.name(),
            paused=True,
            tags=self.some(["x", "y", "é"], 3),
            version=self.slug(),
            enforce_parameter_schema=False,
            parameters=self.parameters(),
            job_variables={"env": {"A": self.template(), "B": self.mention()}},
            pull_steps=[{"step": {"value": self.template(), "other": self.value(1)}}],
            labels={"l": self.name()},
            storage_document_id=self.random.choice(list(environment.blocks.values())),
        )
        queue = self.random.choice(sorted(environment.queues))
        pool = next(name for name in environment.pools if queue.startswith(f"{name}/"))
        fields |= self.maybe(work_pool_name=pool, work_queue_name=queue.removeprefix(f"{pool}/"))
        if "work_pool_name" not in fields:
            fields.pop("work_queue_name", None)
        limits: list[Body] = [{}, {"concurrency_limit": 3}]
        limits += [{"global_concurrency_limit_id": limit} for limit in environment.limits.values()]
        return fields | self.random.choice(limits)

    def schedule_list(self) -> list[Body]:
        shapes: list[Body] = [
            {"cron": "1 2 3 * *", "timezone": "Europe/Paris"},
            {"interval": self.random.randint(60, 10**6), "anchor_date": "2024-01-01T00:00:00Z"},
            {"rrule": "DTSTART:20240101T000000\nFREQ=DAILY;INTERVAL=2"},
        ]
        with_slugs = self.random.random() < 0.5
        return [
            {
                "schedule": self.random.choice(shapes),
                "active": self.random.random() < 0.5,
                **self.maybe(parameters=self.parameters(), max_scheduled_runs=self.random.randint(1, 50)),
                **({"slug": f"s{number}"} if with_slugs else {}),
            }
            for number in self.count(3)
        ]

    def automations(self) -> None:
        environment = self.environment
        made: list[str] = []
        for _ in self.count(6):
            name = self.name()
            made += [
                environment.automation(name, self.trigger(), self.actions(made), enabled=self.random.random() < 0.5)
            ]
        if made:
            chosen = self.random.choice(made)
            target = self.random.choice(made)
            retarget(environment, chosen, self.trigger(), [selected("pause-automation", automation_id=target)])

    def trigger(self) -> Body:
        environment = self.environment
        known = [f"prefect.deployment.{value}" for value in environment.deployments.values()]
        known += [f"prefect.work-pool.{value}" for value in environment.pools.values()]
        known += [f"prefect.block-document.{value}" for value in environment.blocks.values()]
        sign = self.random.choice(["", "!"])
        single = when(match_related={"prefect.resource.id": [sign + self.random.choice(known)]}, expect=[self.slug()])
        if self.random.random() < 0.7:
            return single
        return {"type": "sequence", "within": 60, "triggers": [single, self.trigger()]}

    def actions(self, automations: list[str]) -> list[Body]:
        environment = self.environment
        choices: list[Body] = [NOTHING, {"type": "cancel-flow-run"}]
        choices += [selected("pause-deployment", deployment_id=each) for each in environment.deployments.values()]
        choices += [selected("pause-work-pool", work_pool_id=each) for each in environment.pools.values()]
        choices += [selected("resume-work-queue", work_queue_id=each) for each in environment.queues.values()]
        choices += [selected("resume-automation", automation_id=each) for each in automations]
        blocks = list(environment.blocks.values())
        body = f"see {self.random.choice(blocks)}"
        choices += [{"type": "send-notification", "block_document_id": each, "body": body} for each in blocks]
        return self.random.sample(choices, self.random.randint(1, min(3, len(choices))))
